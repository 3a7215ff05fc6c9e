"""Calibration: known errors, and that only a worse model fails."""

import numpy as np
import polars as pl
import pytest

from lmforge.release.rules.calibration import calibration_errors, judge_calibration


def overconfident(frame, side="challenger"):
    return frame.with_columns(pl.lit(0.99).alias(f"{side}_confidence"))


def test_errors_are_the_textbook_ones():
    # Two bins: 10 answers that claim 0.9 of which 7 are right, 10 that claim 0.4 of which 5 are.
    brier = 7 * 0.01 + 3 * 0.81 + 5 * 0.36 + 5 * 0.16
    one = [4 - 5, 9 - 7, brier]
    found = calibration_errors(np.array([*one, *[0.0, 0.0, 20.0], 20.0]))
    assert found == pytest.approx(np.array([[3 / 20, brier / 20], [0.0, 1.0]]))


def test_equal_models_pass_and_an_overconfident_one_fails(examples, policy):
    frame = examples(num_examples=600)
    assert all(row.passed and row.judged for row in judge_calibration(frame, policy(), 1, champion=True))
    ece, brier = judge_calibration(overconfident(frame), policy(), 1, champion=True)
    assert (ece.name, ece.passed, brier.name, brier.passed) == ("ece", False, "brier", False)
    assert ece.numbers["challenger"] == pytest.approx(0.99 - frame["challenger_score"].mean())


def test_a_better_calibrated_challenger_passes(examples, policy):
    rows = judge_calibration(overconfident(examples(), "champion"), policy(), 1, champion=True)
    assert all(row.passed and row.observed < 0 for row in rows)


def test_without_limit_it_is_measured_and_not_judged(examples, policy):
    free = policy(calibration={"max_ece_increase": None, "max_brier_increase": None})
    rows = judge_calibration(overconfident(examples()), free, 1, champion=True)
    assert [(row.passed, row.judged, row.observed > 0) for row in rows] == [(True, False, True)] * 2


@pytest.mark.parametrize("change", [{"champion": False}, {"confidence": False}])
def test_what_is_missing_is_said(examples, policy, change):
    rows = judge_calibration(examples(**change), policy(), 1, champion=change.get("champion", True))
    assert [(row.passed, row.judged) for row in rows] == [(True, False)] * 2
