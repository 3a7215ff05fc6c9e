"""Schedules at their corners, and at positions between two steps."""

from __future__ import annotations

import pytest

from models.schedules import SCHEDULES


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("linear", {0: 0.1, 9: 1.0, 10: 1.0, 55: 0.5, 99: 1 / 90, 100: 0.0, 101: 0.0}),
        ("cosine", {0: 0.1, 9: 1.0, 10: 1.0, 55: 0.5, 100: 0.0, 101: 0.0}),
        ("trapezoid", {0: 0.1, 9: 1.0, 10: 1.0, 80: 1.0, 90: 0.5, 99: 0.05, 100: 0.0}),
        ("constant", {0: 0.1, 4: 0.5, 9: 1.0, 99: 1.0}),
    ],
)
def test_corners_with_a_warmup_of_10_of_100_steps(name, factors):
    factor = SCHEDULES[name](10, 100)
    assert {step: factor(step) for step in factors} == pytest.approx(factors, abs=1e-12)
    assert all(0 <= factor(step) <= 1 for step in range(110))
    assert SCHEDULES[name](0, 1)(0) > 0, "a run of one step learns"


@pytest.mark.parametrize("name", ["linear", "cosine", "trapezoid"])
def test_factor_falls_between_two_steps_as_it_does_from_one_to_the_next(name):
    factor = SCHEDULES[name](10, 100)
    between = [factor(position / 4) for position in range(4 * 81, 4 * 100)]
    assert between == sorted(between, reverse=True)
    assert factor(90.5) == pytest.approx((factor(90) + factor(91)) / 2, abs=1e-3)


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_without_a_warmup_the_first_step_has_the_highest_rate(name):
    assert SCHEDULES[name](0, 50)(0) == 1.0
