"""Floors: minimum and baselines, for metrics where more is better and for bits per byte."""

import math

import pytest

from lmforge.release.rules.floors import judge_floors

BASELINES = {"tfidf_linear": 0.8, "majority": 0.3}


@pytest.mark.parametrize(
    ("value", "passed"),
    [
        (0.5, [True, True, True]),
        (0.49, [False, True, True]),
        (0.3, [False, False, True]),
        (math.nan, [False, False, True]),
    ],
)
def test_minimum_is_reached_and_baselines_are_beaten(facts, value, passed):
    rows = judge_floors(facts(baselines=BASELINES), value)
    assert [row.name for row in rows] == ["minimum", "above_majority", "above_tfidf_linear"]
    assert [row.passed for row in rows] == passed


def test_the_linear_model_is_a_floor_on_demand(facts, policy):
    asked = judge_floors(facts(baselines=BASELINES, policy=policy(above_linear=True)), 0.7)[-1]
    assert (asked.passed, asked.judged) == (False, True)
    assert asked.words == "0.7000 accuracy is not better than tfidf_linear with 0.8000 accuracy"
    unasked = judge_floors(facts(baselines=BASELINES), 0.7)[-1]
    assert (unasked.passed, unasked.judged) == (True, False)
    assert unasked.words.endswith("release.above_linear does not ask for it")


def test_bits_per_byte_read_as_people_know_them(facts):
    found = facts(metric="bits_per_byte", minimum=None, baselines={"5-gram": -2.5})
    better, worse = (judge_floors(found, value)[0] for value in (-2.0, -2.6))
    assert better.words == "2.0000 bits_per_byte is better than 5-gram with 2.5000 bits_per_byte"
    assert (better.passed, worse.passed) == (True, False)
