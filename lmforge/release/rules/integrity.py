"""Whether the evidence can be believed: the files, a process that answers, the test set, training text in it.

A failure here voids every number after it, so the verdict is `refused` whatever they say.
"""

from __future__ import annotations

from lmforge.hashing import short
from lmforge.release.decision import Rule
from lmforge.release.evidence import Facts
from lmforge.wording import listed

# A few ids show where to look; the evidence holds all.
_SHOWN_IDS = 5


def judge_integrity(facts: Facts, num_examples: int) -> list[Rule]:
    """Rows `files`, `self_test`, `test_set` and `overlap`."""
    return [_files(facts), _self_test(facts), _test_set(facts), _overlap(facts, num_examples)]


def _files(facts: Facts) -> Rule:
    passed, fingerprint = facts.self_test.files_verified, facts.challenger.fingerprint
    words = (
        "the model's files are those that were registered" if passed else "the model's files are not those registered"
    )
    return Rule(name="files", group="integrity", passed=passed, observed=fingerprint, limit=None, words=words)


def _self_test(facts: Facts) -> Rule:
    found = facts.self_test
    outcome = "loaded the model and answered" if found.answered else "could not answer"
    words = f"a clean process {outcome}: {found.words}"
    return Rule(
        name="self_test", group="integrity", passed=found.answered, observed=found.words, limit=None, words=words
    )


def _test_set(facts: Facts) -> Rule:
    digest, approved = facts.test_digest, facts.policy.test_digest
    if approved is None:
        words = f"test set {short(digest)} was answered; the recipe pins none"
    elif approved == digest:
        words = f"test set {short(digest)} is the approved one"
    else:
        words = (
            f"test set {short(digest)} is not the approved one, {short(approved)}: restore it, or approve the new one"
        )
    return Rule(
        name="test_set", group="integrity", passed=approved in (None, digest), judged=approved is not None,
        observed=digest, limit=approved, words=words,
    )  # fmt: skip


def _overlap(facts: Facts, num_examples: int) -> Rule:
    ids, limit = facts.overlapping_ids, facts.policy.max_overlap_share
    share = len(ids) / num_examples
    # One of a few examples is a large share and still no more than one; a limit of 0 means none.
    passed = share <= limit or (len(ids) == 1 and limit > 0)
    which = f", such as {listed(ids[:_SHOWN_IDS])}" if ids else ""
    words = (
        f"{len(ids)} of {num_examples} test examples stand in training text ({share:.2%}, at most {limit:.2%}){which}"
    )
    numbers = {"overlapping_examples": float(len(ids)), "test_examples": float(num_examples)}
    return Rule(
        name="overlap",
        group="integrity",
        passed=passed,
        observed=share,
        limit=limit,
        words=words,
        numbers=numbers,
    )
