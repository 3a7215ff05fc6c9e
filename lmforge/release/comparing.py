"""The gain of a version over the champion in the metric of the task, with what luck of the test set could do to it.

Macro-F1 is computed from labels and BLEU from texts; every other metric is a ratio of sums of the examples' scores and
weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from lmforge.evaluation.intervals import Interval, PairedComparison
from lmforge.evaluation.metrics import Floats, label_ids, score_counts
from lmforge.recipe.release import Release
from lmforge.release.bleu import NUM_COUNTS, bleu_counts, bleu_of
from lmforge.release.examples import Side
from lmforge.release.power import smallest_visible_gain
from lmforge.release.resampling import Statistic, exchanged, lower_bound, p_value, resampled, sum_by_group
from lmforge.release.rules.wording import LESS_IS_BETTER

_CONFIDENCE = 0.95
_ROUNDING = 1e-12
_Z95 = float(stats.norm.ppf((1 + _CONFIDENCE) / 2))


def value_of(examples: pl.DataFrame, metric: str, labels: Sequence[str], side: Side) -> float:
    """The metric of one model over all examples; for macro-F1 raises InputError at a label that is not in `labels`."""
    features, statistic = _features(examples, metric, labels, (side,))
    return float(statistic(features.sum(axis=0))[0])


def compare(examples: pl.DataFrame, metric: str, labels: Sequence[str], policy: Release, seed: int) -> PairedComparison:
    """Paired bootstrap over groups of examples (Koehn 2004, Statistical significance tests for machine translation).

    Gains are in units of the metric, positive where the challenger is better. The exact test of McNemar is made where
    scores are 0 or 1 and examples are drawn alone. smallest_visible_gain is what is declared with a power of 80 %.
    """
    features, gain_of = _paired(examples, metric, labels)
    units = sum_by_group(features, examples["group"])
    gain = float(gain_of(features.sum(axis=0)))
    gains = resampled(units, gain_of, resamples=policy.resamples, seed=seed)
    tail = (1 - _CONFIDENCE) / 2
    low, high = lower_bound(gains, tail), -lower_bound(-gains, tail)
    error = float(gains.std())
    return PairedComparison(
        metric=metric,
        gain=gain,
        lower_bound=lower_bound(gains, policy.alpha),
        alpha=policy.alpha,
        interval=Interval(low=low, value=gain, high=high, confidence=_CONFIDENCE),
        p_value=p_value(gains, 0.0),
        smallest_visible_gain=smallest_visible_gain(
            error, policy.alpha, None if metric in LESS_IS_BETTER else len(units), minimum_gain=policy.minimum_gain
        ),
        mcnemar_p=None if (changed := discordant(examples)) is None else _two_sided(*changed),
        num_examples=len(examples),
        resamples=policy.resamples,
        seed=seed,
    )


def exchange_p_value(examples: pl.DataFrame, metric: str, labels: Sequence[str], resamples: int, seed: int) -> float:
    """One-sided p-value that the challenger is no better, by exchanging the two models' answers at random.

    Exact where percentiles of a bootstrap are not: at an alpha of 1 % they call an equal model better in up to 2 % of
    splits, measured for macro-F1 on 300 examples.
    """
    features, gain_of = _paired(examples, metric, labels)
    swapped, _ = _paired(examples, metric, labels, ("champion", "challenger"))
    units, others = (sum_by_group(one, examples["group"]) for one in (features, swapped))
    gains = exchanged(units, others, gain_of, resamples=resamples, seed=seed)
    # Sums in another order differ in their last digits; a tie counts as reached.
    reached = float(gain_of(features.sum(axis=0))) - _ROUNDING
    return p_value(-gains, -reached)


def standard_error(comparison: PairedComparison) -> float:
    """The error of the gain, from the width of its 95 % interval."""
    return (comparison.interval.high - comparison.interval.low) / (2 * _Z95)


def discordant(examples: pl.DataFrame) -> tuple[int, int] | None:
    """How many examples only the challenger and only the champion answered rightly.

    None where scores are not 0 or 1, weights not 1, or examples share a group and so are not independent.
    """
    sides = [(examples[f"{side}_score"], examples[f"{side}_weight"]) for side in ("challenger", "champion")]
    binary = all(score.is_in([0.0, 1.0]).all() and (weight == 1.0).all() for score, weight in sides)
    if not binary or examples["group"].n_unique() < len(examples):
        return None
    first, second = sides[0][0], sides[1][0]
    return int((first > second).sum()), int((first < second).sum())


def _paired(
    examples: pl.DataFrame, metric: str, labels: Sequence[str], sides: tuple[Side, ...] = ("challenger", "champion")
) -> tuple[Floats, Statistic]:
    """Features of two models, and how their sums become the gain of the first over the second."""
    features, statistic = _features(examples, metric, labels, sides)

    def gain_of(sums: Floats) -> Floats:
        values = statistic(sums)
        return np.asarray(values[..., 0] - values[..., 1])

    return features, gain_of


def _features(
    examples: pl.DataFrame, metric: str, labels: Sequence[str], sides: tuple[Side, ...]
) -> tuple[Floats, Statistic]:
    """Features [num_examples, num_features] and how their sums become the values [..., num_models] of the metric."""
    if metric == "macro_f1":
        return _label_counts(examples, labels, sides), _macro_f1(len(labels))
    if metric == "bleu":
        counts = [bleu_counts(examples[side].to_list(), examples["gold"].to_list()) for side in sides]
        return np.concatenate(counts, axis=1), _bleu
    columns = [examples[f"{side}_{part}"].to_numpy() for side in sides for part in ("score", "weight")]
    return np.stack(columns, axis=1), _ratio


def _ratio(sums: Floats) -> Floats:
    """[..., score, weight, score, weight] to [..., num_models]; 0 where nothing has a weight."""
    scores, weights = sums[..., 0::2], sums[..., 1::2]
    return np.divide(scores, weights, out=np.zeros_like(scores), where=weights > 0)


def _bleu(sums: Floats) -> Floats:
    """[..., counts of each model] to [..., num_models]."""
    return bleu_of(sums.reshape(*sums.shape[:-1], -1, NUM_COUNTS))


def _label_counts(examples: pl.DataFrame, labels: Sequence[str], sides: tuple[Side, ...]) -> Floats:
    """Gold label, then right answer and answer of each model, each one-hot [num_examples, num_labels]."""
    one_hot: np.ndarray[Any, np.dtype[np.float64]] = np.eye(len(labels))
    gold = one_hot[label_ids(examples["gold"].to_list(), labels)]
    answers = [one_hot[label_ids(examples[side].to_list(), labels)] for side in sides]
    return np.concatenate([gold, *(part for answer in answers for part in (gold * answer, answer))], axis=1)


def _macro_f1(num_labels: int) -> Statistic:
    def values(sums: Floats) -> Floats:
        golds, *rest = np.split(sums, sums.shape[-1] // num_labels, axis=-1)
        pairs = zip(rest[0::2], rest[1::2], strict=True)
        return np.stack([score_counts("macro_f1", hits, golds, guesses) for hits, guesses in pairs], axis=-1)

    return values


def _two_sided(gained: int, lost: int) -> float:
    """Exact p-value of McNemar (1947) over the examples on which the two differ; 1 where there are none."""
    return float(stats.binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0
