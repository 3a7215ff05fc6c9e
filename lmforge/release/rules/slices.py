"""Whether some part of the test set got worse by more than is allowed, though the whole got better.

A slice fails when its loss is shown to be above the limit, after Holm's correction for looking at many slices: an equal
model breaks any of them with probability `alpha` at most. A slice that is too small is listed as not judged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from scipy import stats

from lmforge.evaluation.metrics import Floats
from lmforge.recipe.release import Slices
from lmforge.release.comparing import discordant
from lmforge.release.decision import Rule
from lmforge.release.slicing import cut_slices, measure_regression, paired_units


class _Slice(NamedTuple):
    name: str
    num_examples: int
    regression: float
    p_value: float | None


def judge_slices(examples: pl.DataFrame, policy: Slices, *, champion: bool) -> list[Rule]:
    """A row `KEY=VALUE` a slice, in the order of the keys and values; examples without a key are in no slice of it."""
    if not champion or policy.max_regression is None:
        words = "not judged: " + ("no champion yet" if not champion else "the recipe sets no limit")
        return [Rule(name="slices", group="slices", passed=True, judged=False, observed=None, limit=None, words=words)]
    slices = [_measure(name, rows, policy) for name, rows in cut_slices(examples, policy.columns)]
    adjusted = iter(holm([one.p_value for one in slices if one.p_value is not None]))
    return [_rule(one, policy, None if one.p_value is None else next(adjusted)) for one in slices]


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values in the given order (Holm 1979, A simple sequentially rejective multiple test procedure)."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    return [float(p) for p in adjusted]


def regression_p_value(scores: Floats, weights: Floats, limit: float) -> tuple[float, float]:
    """How much worse the challenger is in a slice, and the one-sided p-value that it is by no more than `limit`.

    scores, weights: float64 [num_units, 2], challenger first. Student's t on what `measure_regression` gives. Weights
    of 0 altogether give (0, 1).
    """
    regression, error = measure_regression(scores, weights)
    if error is None:
        return regression, 1.0
    if error == 0.0:
        return regression, float(regression <= limit)
    return regression, float(stats.t.sf((regression - limit) / error, len(scores) - 1))


def _measure(name: str, rows: pl.DataFrame, policy: Slices) -> _Slice:
    assert policy.max_regression is not None, "a slice is measured against a limit"
    regression, p_value = regression_p_value(*paired_units(rows), policy.max_regression)
    if (changed := discordant(rows)) is not None:
        # With few changed answers t is too sure. To be worse than the limit is to be worse at all, of which the exact
        # test is never too sure, so the larger p-value is valid.
        gained, lost = changed
        p_value = max(p_value, float(stats.binom.sf(lost - 1, gained + lost, 0.5)))
    return _Slice(name, len(rows), regression, p_value if len(rows) >= policy.min_examples else None)


def _rule(one: _Slice, policy: Slices, adjusted: float | None) -> Rule:
    passed, limit = adjusted is None or adjusted > policy.alpha, policy.max_regression
    numbers = {"num_examples": float(one.num_examples)}
    if adjusted is None or one.p_value is None:
        words = f"{one.name}: not judged, {one.num_examples} examples are fewer than {policy.min_examples}"
    else:
        numbers |= {"p_value": one.p_value, "adjusted_p_value": adjusted}
        words = f"{one.name}: changed by {-one.regression:+.4f} on {one.num_examples} examples, " + (
            f"not measurably below -{limit:.4f}" if passed else f"measurably below -{limit:.4f} (p = {adjusted:.4f})"
        )
    return Rule(
        name=one.name, group="slices", passed=passed, judged=adjusted is not None, observed=one.regression, limit=limit,
        words=words, numbers=numbers,
    )  # fmt: skip
