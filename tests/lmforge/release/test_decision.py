"""The gate's truth table: every verdict, the order of the rules and what is reported."""

import json

import numpy as np
import pytest

from lmforge.evaluation.intervals import Interval, PairedComparison, paired_bootstrap
from lmforge.release.decision import Decision, Floors, decide

FLOORS = Floors(minimum=0.5, baselines={"majority": 0.3})


def comparison(gain, spread=0.01):
    return PairedComparison(
        metric="macro_f1",
        gain=gain,
        lower_bound=gain - 2.3 * spread,
        alpha=0.01,
        interval=Interval(low=gain - 2 * spread, value=gain, high=gain + 2 * spread, confidence=0.95),
        p_value=0.5,
        smallest_visible_gain=2.3 * spread,
        mcnemar_p=0.5,
        num_examples=1000,
        resamples=10_000,
        seed=1,
    )


def judge(value=0.8, gain=None, minimum_gain=0.0, digest="d1", floors=FLOORS):
    against = {} if gain is None else {"champion_test_digest": digest, "comparison": comparison(gain)}
    return decide(value=value, floors=floors, minimum_gain=minimum_gain, test_digest="d1", **against)


@pytest.mark.parametrize(
    ("arguments", "verdict", "promote", "first_failure"),
    [
        ({}, "first version", True, None),
        ({"value": 0.5}, "first version", True, None),
        ({"value": 0.49}, "refused", False, "minimum"),
        ({"value": 0.2}, "refused", False, "minimum"),
        ({"value": 0.6, "floors": Floors(baselines={"majority": 0.6})}, "refused", False, "above_majority"),
        ({"value": float("nan")}, "refused", False, "minimum"),
        ({"gain": 0.05}, "improved", True, None),
        ({"gain": 0.01}, "no measurable change", False, "superiority"),
        ({"gain": 0.0}, "no measurable change", False, "superiority"),
        ({"gain": 0.05, "minimum_gain": 0.04}, "no measurable change", False, "superiority"),
        ({"gain": -0.01}, "worse within noise", False, "superiority"),
        ({"gain": -0.05}, "regression", False, "superiority"),
        ({"gain": 0.05, "value": 0.4}, "refused", False, "minimum"),
        ({"gain": -0.05, "value": 0.1}, "regression", False, "minimum"),
        ({"gain": 0.05, "digest": "d2"}, "refused", False, "same_test_set"),
    ],
)
def test_verdicts(arguments, verdict, promote, first_failure):
    decision = judge(**arguments)
    assert (decision.verdict, decision.promote, decision.first_failure) == (verdict, promote, first_failure)


def test_all_rules_are_reported_in_order():
    decision = judge(value=0.1, gain=-0.05)
    assert [rule.name for rule in decision.rules] == ["same_test_set", "minimum", "above_majority", "superiority"]
    assert [rule.passed for rule in decision.rules] == [True, False, False, False]
    assert decision.rules[1].observed == 0.1
    assert decision.rules[1].limit == 0.5


def test_different_test_sets_are_not_compared():
    decision = judge(gain=0.05, digest="d2")
    assert decision.comparison is None
    assert decision.rules[-1].words == "not judged: the test sets differ"
    assert (decision.rules[0].observed, decision.rules[0].limit) == ("d1", "d2")


def test_summary_names_the_first_failure_and_what_could_be_seen():
    assert judge(value=0.1).summary == "refused: 0.1000 is below the required minimum 0.5000"
    shown = judge(gain=0.01).summary
    assert shown.startswith("no measurable change: gain +0.0100 macro_f1 over the champion")
    assert shown.endswith("smallest visible gain 0.0230")


def test_a_lower_bound_equal_to_the_minimum_gain_is_not_above_it():
    gold, same = np.array([0, 1] * 50), np.array([0, 0] * 50)
    alike = paired_bootstrap(gold, same, same, 2, "macro_f1", resamples=1000, alpha=0.05, seed=0)
    decision = decide(
        value=0.6, floors=FLOORS, minimum_gain=0.0, test_digest="d", champion_test_digest="d", comparison=alike
    )
    assert decision.verdict == "no measurable change"
    assert not decision.promote


@pytest.mark.parametrize("gain", [None, 0.05, -0.05])
def test_the_decision_survives_json(gain):
    decision = judge(gain=gain)
    assert Decision.model_validate(json.loads(decision.model_dump_json())) == decision


def test_a_champion_without_comparison_is_a_mistake_of_the_program():
    with pytest.raises(AssertionError, match="needs a comparison"):
        decide(value=0.8, floors=FLOORS, minimum_gain=0.0, test_digest="d1", champion_test_digest="d1")
    with pytest.raises(AssertionError, match="needs the champion's test digest"):
        decide(value=0.8, floors=FLOORS, minimum_gain=0.0, test_digest="d1", comparison=comparison(0.1))
