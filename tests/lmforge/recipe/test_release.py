"""The section `release`: defaults, what fits together and what has no effect."""

import pytest
from pydantic import ValidationError

from lmforge.recipe.release import Release


def test_defaults_ask_for_a_measurable_gain_and_limit_harm():
    release = Release()
    assert (release.aim, release.alpha, release.minimum_gain, release.require_approval) == ("better", 0.01, 0.0, False)
    assert release.slices.max_regression is not None
    assert release.calibration.max_ece_increase is not None
    assert release.robustness.max_robustness_loss == release.fairness.max_fairness_gap_increase == 0.02
    assert release.budgets.latency_ratio is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"aim": "smaller"}, "needs `margin`"),
        ({"margin": 0.01}, "`margin` has no effect"),
        ({"aim": "smaller", "margin": 0.01, "minimum_gain": 0.02}, "`minimum_gain` has no effect"),
        ({"aim": "smaller", "margin": 0}, "greater than 0"),
        ({"slices": {"min_examples": 5}}, "greater than or equal to 10"),
        ({"budgets": {"latency": 2}}, "Extra inputs"),
        ({"robustness": {"num_examples": 20}}, "so nothing would be judged"),
        ({"fairness": {"num_examples": 20}}, "so nothing would be judged"),
        ({"robustness": {"kinds": ["typos", "typos"]}}, "name each kind once"),
        ({"robustness": {"kinds": ["emoji"]}}, "'typos', 'upper', 'lower' or 'unicode'"),
        ({"robustness": {"kinds": []}}, "at least 1"),
        ({"robustness": {"noise_rate": 0}}, "greater than 0"),
        ({"fairness": {"terms": [["he", "she"], ["her", "he"]]}}, "he more than once"),
        ({"fairness": {"terms": [["he"]]}}, "at least 2"),
        ({"fairness": {"terms": [["he", "She"]]}}, "single words, of letters in lower case"),
        ({"fairness": {"terms": [["old man", "boy"]]}}, "single words"),
        ({"fairness": {"terms": [["stra\u00dfe", "weg"]]}}, "single words"),
        ({"approval_hours": 0}, "greater than 0"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Release(**settings)


def test_null_switches_a_limit_off():
    release = Release(slices={"max_regression": None}, budgets={"latency_ratio": None, "size_ratio": None})
    assert release.slices.max_regression is release.budgets.latency_ratio is None
    off = Release(robustness=None, fairness={"max_fairness_gap_increase": None})
    assert off.robustness is off.fairness.max_fairness_gap_increase is None


def test_a_smaller_model_with_a_margin_is_an_aim():
    assert Release(aim="smaller", margin=0.01).margin == 0.01
