"""Power by formula: known values, and that its parts agree with each other."""

import pytest
from scipy import stats

from lmforge.release.power import examples_needed, power_of, smallest_visible_gain


def test_an_equal_model_is_declared_with_probability_alpha():
    assert power_of(0.0, 0.01, 0.05) == pytest.approx(0.05)
    assert power_of(0.02, 0.01, 0.05, minimum_gain=0.02) == pytest.approx(0.05)


def test_the_smallest_visible_gain_has_the_power_it_promises():
    visible = smallest_visible_gain(0.02, 0.01, 10_000)
    assert visible == pytest.approx((stats.norm.ppf(0.99) + stats.norm.ppf(0.8)) * 0.02)
    assert power_of(visible, 0.02, 0.01) == pytest.approx(0.8)
    above = smallest_visible_gain(0.02, 0.01, 10_000, minimum_gain=0.03)
    assert power_of(above, 0.02, 0.01, minimum_gain=0.03) == pytest.approx(0.8)


def test_no_error_leaves_the_resolution_of_the_set():
    assert smallest_visible_gain(0.0, 0.01, 100) == pytest.approx(5 / 100)
    assert smallest_visible_gain(0.0, 0.01, 2) == 1.0
    assert power_of(0.1, 0.0, 0.01) == 1.0
    assert power_of(0.0, 0.0, 0.01) == 0.0


def test_examples_needed_show_the_gain():
    needed = examples_needed(0.02, 0.5, 0.01)
    assert power_of(0.02, 0.5 / needed**0.5, 0.01) >= 0.8
    assert power_of(0.02, 0.5 / (needed - 1) ** 0.5, 0.01) < 0.8


def test_examples_for_no_gain_are_a_mistake_of_the_program():
    with pytest.raises(AssertionError, match="only a positive gain"):
        examples_needed(0.0, 0.5, 0.01)


def test_a_metric_without_steps_is_seen_below_one_example():
    visible = smallest_visible_gain(0.001, 0.01, None, minimum_gain=0.1)
    assert visible == pytest.approx(0.1 + 0.001 * (2.3263 + 0.8416), abs=1e-6)
    assert smallest_visible_gain(0.001, 0.01, 100) > 0.04
