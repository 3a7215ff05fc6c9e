"""The section `release`: defaults, what fits together and what has no effect."""

import pytest
from pydantic import ValidationError

from lmforge.recipe.release import Release


def test_defaults_ask_for_a_measurable_gain_and_limit_harm():
    release = Release()
    assert (release.aim, release.alpha, release.minimum_gain, release.require_approval) == ("better", 0.01, 0.0, False)
    assert release.slices.max_regression is not None
    assert release.calibration.max_ece_increase is not None
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
        ({"approval_hours": 0}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Release(**settings)


def test_null_switches_a_limit_off():
    release = Release(slices={"max_regression": None}, budgets={"latency_ratio": None, "size_ratio": None})
    assert release.slices.max_regression is release.budgets.latency_ratio is None


def test_a_smaller_model_with_a_margin_is_an_aim():
    assert Release(aim="smaller", margin=0.01).margin == 0.01
