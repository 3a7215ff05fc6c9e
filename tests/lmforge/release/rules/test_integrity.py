"""Integrity: each way in which evidence cannot be believed, and that it is said."""

import pytest

from lmforge.release.evidence import SelfTest
from lmforge.release.rules.integrity import judge_integrity

ROWS = ["files", "self_test", "test_set", "overlap"]


def failed(facts, num_examples=400):
    rows = judge_integrity(facts, num_examples)
    assert [row.name for row in rows] == ROWS
    return {row.name: row.words for row in rows if not row.passed}


def test_sound_evidence_passes(facts, policy):
    assert failed(facts()) == {}
    assert failed(facts(policy=policy(test_digest="d" * 64))) == {}


@pytest.mark.parametrize(
    ("self_test", "rule", "words"),
    [
        ({"files_verified": False, "answered": True, "words": "8"}, "files", "not those registered"),
        (
            {"files_verified": True, "answered": False, "words": "exit code 1"},
            "self_test",
            "could not answer: exit code 1",
        ),
    ],
)
def test_a_model_that_is_damaged_or_dumb_fails(facts, self_test, rule, words):
    assert words in failed(facts(self_test=SelfTest(**self_test)))[rule]


def test_another_test_set_than_the_approved_one_fails(facts, policy):
    words = failed(facts(policy=policy(test_digest="e" * 64)))["test_set"]
    assert words.startswith(f"test set {'d' * 16} is not the approved one, {'e' * 16}")


def test_a_test_set_that_nobody_pinned_is_not_judged(facts):
    assert [row.judged for row in judge_integrity(facts(), 400)] == [True, True, False, True]


def test_overlap_is_a_share_with_ids(facts):
    ids = tuple(f"e{at}" for at in range(9))
    words = failed(facts(overlapping_ids=ids))["overlap"]
    assert words == "9 of 400 test examples stand in training text (2.25%, at most 1.00%), such as e0, e1, e2, e3, e4"
    assert failed(facts(overlapping_ids=ids), num_examples=900) == {}


def test_one_example_of_a_small_set_passes_unless_none_may(facts, policy):
    assert failed(facts(overlapping_ids=("e0",)), num_examples=92) == {}
    assert "overlap" in failed(facts(overlapping_ids=("e0", "e1")), num_examples=92)
    strict = facts(overlapping_ids=("e0",), policy=policy(max_overlap_share=0.0))
    assert "overlap" in failed(strict, num_examples=92)
