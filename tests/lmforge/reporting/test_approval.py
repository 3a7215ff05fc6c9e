"""What a person reads before they say yes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lmforge.evaluation.intervals import Interval, PairedComparison
from lmforge.release.decision import Decision, Rule
from lmforge.reporting.approval import approval_commands, approval_question

UNTIL = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)


@pytest.fixture
def decision():
    comparison = PairedComparison(
        metric="accuracy", gain=0.0312, lower_bound=0.011, alpha=0.01, interval=Interval(low=0.015, value=0.0312,
        high=0.048, confidence=0.95), p_value=0.001, smallest_visible_gain=0.02, mcnemar_p=0.002, num_examples=1251,
        resamples=10_000, seed=0,
    )  # fmt: skip
    rules = (
        Rule(name="minimum", group="floors", passed=True, observed=0.9, limit=0.5, words="0.9 is at least 0.5"),
        Rule(name="superiority", group="superiority", passed=True, observed=0.011, limit=0, words="surely above 0"),
        Rule(name="length=long", group="slices", passed=True, judged=False, observed=None, limit=None, words="small"),
    )
    return Decision(
        verdict="improved", promote=True, needs_approval=True, first_failure=None, rules=rules, comparison=comparison
    )


def question(decision, against):
    return approval_question(
        "reviews/2", decision, "f" * 64, against=against, page="http://here/gate.html", until=UNTIL
    )


def test_it_shows_what_the_gate_found_and_what_the_answer_is_bound_to(decision):
    text = question(decision, "1")
    assert text.startswith("### Put reviews/2 into production?\n\nIt would take the place of version 1.")
    for line in (
        "- **verdict**: improved",
        "- **gain**: +0.0312 accuracy on 1,251 examples (95% interval +0.0150 to +0.0480)",
        "- **smallest visible gain**: 0.0200",
        "- **superiority**: surely above 0",
        "- **rules**: 2 judged, none failed",
        "- **evidence**: [page of the gate](http://here/gate.html)",
        f"- **gate hash**: `{'f' * 16}`",
    ):
        assert line in text.splitlines()
    assert "Without one until 2026-03-01 14:30 UTC this run ends" in text
    assert '`lmforge approve reviews/2 --reason "..."`, then `lmforge promote reviews/2`' in text


def test_a_first_version_has_nothing_to_be_compared_with(decision):
    text = question(decision.model_copy(update={"comparison": None, "verdict": "first version"}), None)
    assert "It would be the first version there." in text
    assert "gain" not in text


def test_the_commands_in_a_terminal_have_no_marks():
    assert approval_commands("reviews/2") == 'lmforge approve reviews/2 --reason "...", then lmforge promote reviews/2'
