"""Paired bootstrap of anything that is a function of sums: units are drawn with replacement, the same for both models.

A unit is a row of features whose sums over the drawn units decide the value. Units with equal features are drawn
together as one cell, because cell counts of n draws are Multinomial(n, cell shares): right or wrong has a handful of
cells however large the test set is. What is measured is the luck of the test set, not that of the training seed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lmforge.evaluation.intervals import MAX_COUNTS
from lmforge.evaluation.metrics import Floats

# Sums of features [..., num_features] to values [...].
Statistic = Callable[[Floats], Floats]


def sum_by_group(features: Floats, groups: pl.Series) -> Floats:
    """Features of the units: the rows [num_examples, num_features] summed by group, [num_groups, num_features]."""
    if groups.n_unique() == len(groups):
        return features
    codes = groups.rank("dense").to_numpy().astype(np.int64) - 1
    sums = np.zeros((int(codes.max()) + 1, features.shape[1]))
    np.add.at(sums, codes, features)
    return sums


def resampled(units: Floats, statistic: Statistic, *, resamples: int, seed: int) -> Floats:
    """The statistic of `resamples` draws of as many units as there are, float64 [resamples, ...].

    units: float64 [num_units, num_features] (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 6).
    """
    cells, sizes = np.unique(units, axis=0, return_counts=True)
    generator = np.random.default_rng(seed)
    chunk = max(1, MAX_COUNTS // len(sizes))
    parts = []
    for start in range(0, resamples, chunk):
        counts = _draw(generator, sizes, min(chunk, resamples - start))
        parts.append(statistic(counts @ cells))
    return np.concatenate(parts)


def _draw(generator: np.random.Generator, sizes: NDArray[np.int64], resamples: int) -> Floats:
    """How often each cell is drawn, float64 [resamples, num_cells]; each row sums to the number of units."""
    num_units, num_cells = int(sizes.sum()), len(sizes)
    if num_cells < num_units:
        return generator.multinomial(num_units, sizes / num_units, size=resamples).astype(np.float64)
    # Where all units differ, drawing them one by one is three times as fast as a binomial draw for each cell.
    drawn = generator.integers(num_units, size=(resamples, num_units), dtype=np.int32)
    drawn += np.arange(resamples, dtype=np.int32)[:, None] * num_units
    return np.bincount(drawn.ravel(), minlength=resamples * num_cells).reshape(resamples, -1).astype(np.float64)


def exchanged(units: Floats, swapped: Floats, statistic: Statistic, *, resamples: int, seed: int) -> Floats:
    """The statistic where each unit's two models change places with probability 1/2, float64 [resamples, ...].

    swapped: the features of the same units with the models exchanged. Of two equal models every exchange is as likely
    as what was observed, so the share that reaches the observed gain is an exact p-value for any metric (Noreen 1989,
    Computer-Intensive Methods for Testing Hypotheses; Yeh 2000, More accurate tests for the statistical significance
    of result differences).
    """
    changes, sizes = np.unique(swapped - units, axis=0, return_counts=True)
    generator, observed = np.random.default_rng(seed), units.sum(axis=0)
    chunk = max(1, MAX_COUNTS // len(sizes))
    parts = []
    for start in range(0, resamples, chunk):
        counts = generator.binomial(sizes, 0.5, size=(min(chunk, resamples - start), len(sizes)))
        parts.append(statistic(observed + counts.astype(np.float64) @ changes))
    return np.concatenate(parts)


def lower_bound(values: Floats, alpha: float) -> float:
    """One-sided lower limit at confidence 1 - alpha; a resample that occurred, so that ties at 0 are not lifted."""
    return float(np.quantile(values, alpha, method="lower"))


def p_value(values: Floats, limit: float) -> float:
    """Share of resamples at or below `limit`, (1 + k) / (1 + resamples) (Davison & Hinkley 1997, eq. 4.11)."""
    return float((1 + np.count_nonzero(values <= limit)) / (1 + len(values)))
