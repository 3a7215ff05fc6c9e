"""Whether the probabilities that a version gives to its answers may be trusted as much as the champion's.

Both measures look at the probability of the answer that was given and at whether it was right, so they exist for every
task whose models give one. A rule fails when the increase is shown to be above the limit by a paired bootstrap.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lmforge.evaluation.metrics import Floats
from lmforge.recipe.release import Calibration, Release
from lmforge.release.decision import Rule
from lmforge.release.resampling import lower_bound, resampled, sum_by_group
from lmforge.release.rules.bounds import unmeasured, within

_MEASURES = ("ece", "brier")


def judge_calibration(examples: pl.DataFrame, policy: Release, seed: int, *, champion: bool) -> list[Rule]:
    """Rows `ece` and `brier`; not judged without a champion, or where a model gives no probabilities."""
    settings = policy.calibration
    limits = dict(zip(_MEASURES, (settings.max_ece_increase, settings.max_brier_increase), strict=True))
    confidences = examples.select("challenger_confidence", "champion_confidence")
    if not champion or sum(confidences.null_count().row(0)):
        words = "no champion yet" if not champion else "a model gave no probabilities"
        return [unmeasured(name, "calibration", limit, words) for name, limit in limits.items()]
    features = _features(examples, settings.num_bins)
    found = calibration_errors(features.sum(axis=0))
    units = sum_by_group(features, examples["group"])
    errors = resampled(units, calibration_errors, resamples=policy.resamples, seed=seed)
    increases = errors[:, 0] - errors[:, 1]
    return [
        _rule(name, limit, found[:, at], lower_bound(increases[:, at], settings.alpha), settings)
        for at, (name, limit) in enumerate(limits.items())
    ]


def calibration_errors(sums: Floats) -> Floats:
    """Errors [..., 2 models, 2 measures] from sums [..., 2 * (num_bins + 1) + 1], the last the number of examples.

    Expected calibration error: sum over bins of |confidence - right| / examples (Naeini et al. 2015; Guo et al. 2017,
    arXiv:1706.04599). Brier score of the answer that was given: mean of (confidence - right)^2 (Brier 1950).
    """
    num_examples = sums[..., -1:]
    parts = sums[..., :-1].reshape(*sums.shape[:-1], 2, -1)
    ece = np.abs(parts[..., :-1]).sum(axis=-1) / num_examples
    return np.stack([ece, parts[..., -1] / num_examples], axis=-1)


def _features(examples: pl.DataFrame, num_bins: int) -> Floats:
    """For each model: confidence minus right in the bin of its confidence, then the squared error; at the end a 1."""
    columns: list[Floats] = []
    for side in ("challenger", "champion"):
        confidence = examples[f"{side}_confidence"].to_numpy()
        right = (examples[side] == examples["gold"]).to_numpy().astype(np.float64)
        bins = np.minimum((confidence * num_bins).astype(np.int64), num_bins - 1)
        columns += [np.eye(num_bins)[bins] * (confidence - right)[:, None], np.square(confidence - right)[:, None]]
    return np.concatenate([*columns, np.ones((len(examples), 1))], axis=1)


def _rule(name: str, limit: float | None, found: Floats, bound: float, settings: Calibration) -> Rule:
    challenger, champion = (float(one) for one in found)
    words = f"{name} {challenger:.4f}, champion {champion:.4f}; the increase is at least {bound:+.4f} "
    words += f"(confidence {1 - settings.alpha:.0%})"
    numbers = {"challenger": challenger, "champion": champion, "increase": challenger - champion}
    return within(name, "calibration", limit, words, bound, numbers)
