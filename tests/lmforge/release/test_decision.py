"""The decision as a record: which of its rules the summary shows, and that JSON keeps it."""

import json

import pytest

from lmforge.evaluation.intervals import Interval, PairedComparison
from lmforge.release.decision import Decision, Rule

COMPARISON = PairedComparison(
    metric="macro_f1",
    gain=0.05,
    lower_bound=0.02,
    alpha=0.01,
    interval=Interval(low=0.01, value=0.05, high=0.09, confidence=0.95),
    p_value=0.001,
    smallest_visible_gain=0.0234,
    mcnemar_p=None,
    num_examples=1000,
    resamples=10_000,
    seed=1,
)


def rule(name, group, passed=True):
    return Rule(name=name, group=group, passed=passed, observed=0.5, limit=None, words=f"words of {name}")


def decision(*failing, comparison=COMPARISON):
    groups = {"files": "integrity", "minimum": "floors", "superiority": "superiority", "latency": "budgets"}
    rules = tuple(rule(name, group, name not in failing) for name, group in groups.items())
    return Decision(
        verdict="refused" if failing else "improved",
        promote=not failing,
        needs_approval=False,
        first_failure=failing[0] if failing else None,
        rules=rules,
        comparison=comparison,
    )


def test_the_summary_shows_the_gain_where_all_is_well():
    assert decision().summary == "improved: words of superiority; smallest visible gain 0.0234"


@pytest.mark.parametrize("failing", [("minimum",), ("minimum", "latency"), ("latency",)])
def test_the_summary_shows_the_first_failure(failing):
    assert decision(*failing).summary.startswith(f"refused: words of {failing[0]};")


def test_without_champion_nothing_could_be_seen():
    assert decision(comparison=None).summary == "improved: words of superiority"


def test_json_keeps_it():
    found = decision("latency")
    assert Decision.model_validate(json.loads(found.model_dump_json())) == found
