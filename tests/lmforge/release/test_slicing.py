"""Parts of a test set are cut by key and value, and differences in them have the error that theory says."""

import numpy as np
import polars as pl
import pytest

from lmforge.release.slicing import cut_slices, measure_regression, paired_units


def test_slices_are_cut_in_order_and_examples_without_a_key_are_in_none(examples):
    frame = examples(8).with_columns(pl.Series("slice_language", ["de", None, "en", "de", "en", "de", None, "en"]))
    assert [(name, len(rows)) for name, rows in cut_slices(frame, ("language",))] == [
        ("language=de", 3), ("language=en", 3),
    ]  # fmt: skip
    assert [name for name, _ in cut_slices(frame, None)][:2] == ["kind=common", "kind=rare"]


def test_groups_are_drawn_together(examples):
    frame = examples(6).with_columns(pl.Series("group", list("aabbcc")))
    scores, weights = paired_units(frame)
    assert scores.shape == weights.shape == (3, 2)
    assert weights.tolist() == [[2.0, 2.0]] * 3


def test_the_error_is_that_of_a_mean_of_differences():
    scores = np.random.default_rng(0).normal(size=(200, 2))
    regression, error = measure_regression(scores, np.ones((200, 2)))
    differences = scores[:, 1] - scores[:, 0]
    assert regression == pytest.approx(differences.mean())
    assert error == pytest.approx(differences.std(ddof=1) / np.sqrt(200))


@pytest.mark.parametrize("weights", [np.zeros((3, 2)), np.ones((1, 2))])
def test_what_cannot_be_measured_has_no_error(weights):
    assert measure_regression(np.ones(weights.shape), weights) == (0.0, None)
