"""How far a score or a gain could be luck of the test set: percentile bootstrap and exact McNemar.

Resampling is over examples, written as multinomial counts of the distinct cells (gold, prediction). Both are the same
distribution: a metric of counts sees an example only by its cell, and the cell counts of n draws with replacement are
Multinomial(n, cell shares). What is measured is the luck of the test set, not that of the training seed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lmforge.artifacts.artifact import Frozen
from lmforge.evaluation.metrics import Floats, Ids, metric_of, score_counts

# Bounds the resampled counts that are in memory at once: 4 M float64 are 32 MB.
MAX_COUNTS = 1 << 22


class Interval(Frozen):
    """A value between its two-sided confidence limits."""

    low: float
    value: float
    high: float
    confidence: float


class PairedComparison(Frozen):
    """The gain of a challenger over a champion on the same examples, in units of the metric (0..1).

    lower_bound: one-sided, at confidence 1 - alpha. interval: two-sided, 95 %. p_value: one-sided, that the gain is
    <= 0. mcnemar_p: exact, two-sided, where a score is 0 or 1. smallest_visible_gain: what this test set could show.
    """

    metric: str
    gain: float
    lower_bound: float
    alpha: float
    interval: Interval
    p_value: float
    smallest_visible_gain: float
    mcnemar_p: float | None
    num_examples: int
    resamples: int
    seed: int


def bootstrap_interval(
    gold: Ids,
    predicted: Ids,
    num_labels: int,
    metric: str,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of a metric (Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 13.3).

    gold, predicted: label ids [num_examples]. With few examples a label, resampled macro-F1 is biased downwards and the
    value may stand near the upper limit; in a paired gain this bias cancels. Raises InputError when the lengths
    differ or there is no example.
    """
    value = metric_of(metric)(gold, predicted, num_labels)
    scores = _resampled_scores([gold, predicted], num_labels, metric, resamples, seed)[:, 0]
    low, high = _percentiles(scores, confidence)
    return Interval(low=low, value=value, high=high, confidence=confidence)


def paired_bootstrap(
    gold: Ids,
    challenger: Ids,
    champion: Ids,
    num_labels: int,
    metric: str,
    *,
    resamples: int,
    alpha: float,
    seed: int,
) -> PairedComparison:
    """Compare two models example by example (Koehn 2004, Statistical significance tests for machine translation
    evaluation), on the same resamples for both.

    gold, challenger, champion: label ids [num_examples] in the same order. Quantiles are taken outwards, so ties never
    help: models that answer alike have gain 0 and lower bound 0. The p-value is (1 + resamples with gain <= 0) /
    (1 + resamples) (Davison & Hinkley 1997, eq. 4.11). Raises InputError when the lengths differ or are 0.
    """
    score = metric_of(metric)
    gain = score(gold, challenger, num_labels) - score(gold, champion, num_labels)
    scores = _resampled_scores([gold, challenger, champion], num_labels, metric, resamples, seed)
    gains = scores[:, 0] - scores[:, 1]
    low, high = _percentiles(gains, 0.95)
    return PairedComparison(
        metric=metric,
        gain=gain,
        # "lower" takes a resample that occurred; interpolation would lift a bound of 0 above 0.
        lower_bound=float(np.quantile(gains, alpha, method="lower")),
        alpha=alpha,
        interval=Interval(low=low, value=gain, high=high, confidence=0.95),
        p_value=float((1 + np.count_nonzero(gains <= 0)) / (1 + resamples)),
        smallest_visible_gain=_smallest_visible_gain(gains, alpha, len(gold)),
        mcnemar_p=_mcnemar(gold, challenger, champion),
        num_examples=len(gold),
        resamples=resamples,
        seed=seed,
    )


def _resampled_scores(columns: list[Ids], num_labels: int, metric: str, resamples: int, seed: int) -> Floats:
    """Scores of each model on the same resamples, [resamples, num_models]; columns: gold first, then the models."""
    cells, sizes = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    one_hot = np.eye(num_labels)[cells]  # [num_cells, 1 + num_models, num_labels]
    # Everything a score needs is linear in the cell counts: one product with the resampled counts gives it.
    right = one_hot[:, 1:] * one_hot[:, :1]
    parts = []
    for weights in _multinomial(sizes, resamples, seed):
        golds = (weights @ one_hot[:, 0])[:, None]
        guesses = np.tensordot(weights, one_hot[:, 1:], axes=1)
        parts.append(score_counts(metric, np.tensordot(weights, right, axes=1), golds, guesses))
    return np.concatenate(parts)


def _multinomial(sizes: NDArray[np.int64], resamples: int, seed: int) -> Iterator[Floats]:
    """Chunks of resampled cell counts, float64 [chunk, num_cells], each row summing to the number of examples."""
    generator = np.random.default_rng(seed)
    num_examples = int(sizes.sum())
    chunk = max(1, MAX_COUNTS // len(sizes))
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        yield generator.multinomial(num_examples, sizes / num_examples, size=rows).astype(np.float64)


def _percentiles(values: Floats, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, tail, method="lower"), np.quantile(values, 1 - tail, method="higher")
    return float(low), float(high)


def _smallest_visible_gain(gains: Floats, alpha: float, num_examples: int) -> float:
    """The gain that would have been declared with the observed spread: z(1 - alpha) * sd of the bootstrap gains.

    Never below the resolution of the set: k answers changed for the better are missing from a resample with
    probability (1 - k / n)^n, so that fewer than n * (1 - alpha^(1 / n)) can never be declared.
    """
    # Here and not above: it takes half a second, and whoever only reads decisions imports this module.
    from scipy import stats

    needed = math.floor(num_examples * (1.0 - math.pow(alpha, 1 / num_examples))) + 1
    spread = float(stats.norm.ppf(1 - alpha)) * float(gains.std())
    return max(spread, min(needed, num_examples) / num_examples)


def _mcnemar(gold: Ids, challenger: Ids, champion: Ids) -> float:
    """Exact two-sided p-value over the examples that exactly one of the two answers rightly (McNemar 1947)."""
    from scipy import stats

    gained = int(np.count_nonzero((challenger == gold) & (champion != gold)))
    lost = int(np.count_nonzero((challenger != gold) & (champion == gold)))
    if gained + lost == 0:
        # No discordant answers: the data cannot speak against equality, and the binomial test is undefined.
        return 1.0
    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue)
