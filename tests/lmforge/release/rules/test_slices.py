"""Slices: the paired test, Holm's correction, and what is too small to judge."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from lmforge.recipe.release import Slices
from lmforge.release.rules.slices import holm, judge_slices, regression_p_value


def test_holm_is_what_the_paper_says():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1.0, 1.0]
    assert holm([]) == []


def test_with_weights_of_1_it_is_the_paired_t_test():
    scores = np.random.default_rng(0).normal(size=(60, 2)) - [0.3, 0.0]
    regression, p = regression_p_value(scores, np.ones((60, 2)), 0.1)
    expected = stats.ttest_1samp(scores[:, 1] - scores[:, 0], 0.1, alternative="greater")
    assert regression == pytest.approx((scores[:, 1] - scores[:, 0]).mean())
    assert p == pytest.approx(expected.pvalue)


def test_no_spread_is_decided_by_the_value():
    ones = np.ones((10, 2))
    assert regression_p_value(ones * [0.5, 1.0], ones, 0.1) == (0.5, 0.0)
    assert regression_p_value(ones, ones, 0.1) == (0.0, 1.0)
    assert regression_p_value(ones, np.zeros((10, 2)), 0.1) == (0.0, 1.0)


def test_a_slice_that_breaks_is_named(examples):
    rows = judge_slices(examples(num_examples=1200, gain=0.05, slice_loss=0.3), Slices(), champion=True)
    assert [(row.name, row.passed) for row in rows] == [("kind=common", True), ("kind=rare", False)]
    assert "measurably below -0.0200" in rows[1].words
    assert rows[1].numbers["num_examples"] == 300
    assert rows[1].numbers["p_value"] <= rows[1].numbers["adjusted_p_value"] <= 0.05


def test_small_slices_are_listed_as_not_judged(examples):
    frame = examples(num_examples=160, slice_loss=0.7)
    rows = judge_slices(frame, Slices(), champion=True)
    assert [(row.name, row.judged, row.passed) for row in rows] == [
        ("kind=common", True, True),
        ("kind=rare", False, True),
    ]
    assert rows[1].words == "kind=rare: not judged, 40 examples are fewer than 50"
    assert not judge_slices(frame, Slices(min_examples=40), champion=True)[1].passed


def test_only_the_wanted_keys_are_judged(examples):
    frame = examples()
    assert judge_slices(frame, Slices(columns=("length",)), champion=True) == []
    assert len(judge_slices(frame, Slices(columns=("kind",)), champion=True)) == 2


def test_without_champion_or_limit_nothing_is_judged(examples):
    for policy, champion in ((Slices(), False), (Slices(max_regression=None), True)):
        (row,) = judge_slices(examples(), policy, champion=champion)
        assert (row.passed, row.judged) == (True, False)


def test_few_changed_answers_prove_little(examples):
    """Four of 60 spoilt and none mended: t says 0.02, the exact test 0.06."""
    spoilt = [0.0 if at in (0, 4, 8, 12) else 1.0 for at in range(240)]
    frame = examples(num_examples=240).with_columns(
        challenger_score=pl.Series(spoilt), champion_score=pl.lit(1.0)
    )  # fmt: skip
    rows = judge_slices(frame, Slices(max_regression=0.0), champion=True)
    assert rows[1].numbers["p_value"] == pytest.approx(1 / 16)
    assert rows[1].passed
