"""Parts of a test set, and how much worse one of two models is in one of them.

The difference is that of the mean scores, whatever the metric of the task is.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lmforge.evaluation.metrics import Floats
from lmforge.release.examples import SLICE
from lmforge.release.resampling import sum_by_group


def cut_slices(examples: pl.DataFrame, columns: tuple[str, ...] | None) -> list[tuple[str, pl.DataFrame]]:
    """`KEY=VALUE` with its examples, in the order of keys and values; columns: the keys, None for all of them."""
    found = [name for name in examples.columns if name.startswith(SLICE)]
    wanted = found if columns is None else [SLICE + name for name in columns if SLICE + name in found]
    return [
        (f"{column.removeprefix(SLICE)}={value}", examples.filter(pl.col(column) == value))
        for column in wanted
        for value in examples[column].drop_nulls().unique().sort()
    ]


def paired_units(rows: pl.DataFrame) -> tuple[Floats, Floats]:
    """Scores and weights of what is drawn together, float64 [num_units, 2] each, challenger first."""
    columns = [rows[f"{side}_{part}"].to_numpy() for part in ("score", "weight") for side in ("challenger", "champion")]
    units = sum_by_group(np.stack(columns, axis=1), rows["group"])
    return units[:, :2], units[:, 2:]


def measure_regression(scores: Floats, weights: Floats) -> tuple[float, float | None]:
    """How much worse the challenger is in a slice, and the standard error of that; (0, None) without two weighed units.

    scores, weights: float64 [num_units, 2], challenger first. The error is that of the linearised difference of the two
    ratios of sums (Cochran 1977, Sampling Techniques, section 6.3).
    """
    totals, num_units = weights.sum(axis=0), len(scores)
    if (totals <= 0).any() or num_units < 2:
        return 0.0, None
    ratios = scores.sum(axis=0) / totals
    influence = (scores - ratios * weights) / totals
    differences = influence[:, 1] - influence[:, 0]
    error = float(np.sqrt(num_units / (num_units - 1) * np.square(differences).sum()))
    return float(ratios[1] - ratios[0]), error
