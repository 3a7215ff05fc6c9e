"""Whether noise in the text costs a version more of its score than it costs the champion.

A kind of noise fails when the further loss is shown to be above the limit by a paired bootstrap; each kind gets its
part of alpha, so that an equal model breaks any of them with probability alpha at most (Bonferroni).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lmforge.evaluation.metrics import Floats
from lmforge.recipe.robustness import Robustness
from lmforge.release.decision import Rule
from lmforge.release.evidence import Facts
from lmforge.release.resampling import lower_bound, resampled, sum_by_group
from lmforge.release.rules.bounds import unjudged, unmeasured, within
from lmforge.release.rules.wording import LESS_IS_BETTER
from lmforge.release.variants import pair

# The text itself is what a language model predicts, so noise changes what is right.
NO_VARIANTS = "a language model has no answer that should stay the same"


def judge_robustness(facts: Facts, examples: pl.DataFrame, variants: pl.DataFrame | None) -> list[Rule]:
    """A row a kind of noise, by its name; no rows where the recipe's section is null.

    Not judged without a champion, for a language model, on a small sample, or without a limit. A limit that is set and
    was not measured fails, and so does a sample that is smaller than the recipe asks for.
    """
    policy = facts.policy.robustness
    if policy is None:
        return []
    if facts.metric in LESS_IS_BETTER:
        return [unmeasured(kind, "robustness", policy.max_robustness_loss, NO_VARIANTS) for kind in policy.kinds]
    asked = min(policy.num_examples, len(examples))
    return [_judge_kind(kind, facts, policy, examples, variants, asked) for kind in policy.kinds]


def score_losses(sums: Floats) -> Floats:
    """Loss of the mean score under noise [..., 2 models], challenger first, from sums [..., 6]: of each model the score
    of the plain text, that of the noisy text, and the weight."""
    parts = sums.reshape(*sums.shape[:-1], 2, 3)
    weights = parts[..., 2]
    return np.divide(parts[..., 0] - parts[..., 1], weights, out=np.zeros_like(weights), where=weights > 0)


def _judge_kind(
    kind: str, facts: Facts, policy: Robustness, examples: pl.DataFrame, variants: pl.DataFrame | None, asked: int
) -> Rule:
    rows, limit = pair(variants, kind, examples), policy.max_robustness_loss
    if len(rows) < asked:
        alone, measured = facts.champion is None, f"{len(rows)} of {asked} noisy examples were answered"
        why = "no champion yet" if alone else measured if len(rows) else "not measured"
        return unmeasured(kind, "robustness", limit, why, passed=alone or limit is None)
    features = np.concatenate([_features(rows, side) for side in ("challenger", "champion")], axis=1)
    losses = score_losses(features.sum(axis=0))
    numbers = _numbers(features, losses, with_champion=facts.champion is not None)
    if facts.champion is None or len(rows) < policy.min_examples:
        words = f"{kind}: a loss of {losses[0]:.4f} under noise on {len(rows)} examples; not judged, "
        words += "no champion yet" if facts.champion is None else f"fewer than {policy.min_examples} examples"
        return unjudged(kind, "robustness", limit, words, numbers)
    units = sum_by_group(features, rows["group"])
    drawn = resampled(units, score_losses, resamples=facts.policy.resamples, seed=facts.seed)
    bound = lower_bound(drawn[:, 0] - drawn[:, 1], policy.alpha / len(policy.kinds))
    words = f"{kind}: a loss of {losses[0]:.4f} under noise, champion {losses[1]:.4f}; the increase is at least "
    words += f"{bound:+.4f} (confidence {1 - policy.alpha:.0%} for all {len(policy.kinds)} kinds)"
    return within(kind, "robustness", limit, words, bound, numbers)


def _features(rows: pl.DataFrame, side: str) -> Floats:
    """Without a champion its features are 0: a model of weight 0, which loses nothing."""
    columns = rows.select(f"{side}_score", f"{side}_score_changed", f"{side}_weight")
    return columns.fill_null(0.0).to_numpy().astype(np.float64)


def _numbers(features: Floats, losses: Floats, *, with_champion: bool) -> dict[str, float]:
    """Mean scores of both models on plain and on noisy text, their losses and the number of examples."""
    found = {"num_examples": float(len(features))}
    for at, side in enumerate(("challenger", "champion") if with_champion else ("challenger",)):
        plain, noisy, weight = features[:, 3 * at : 3 * at + 3].sum(axis=0)
        scale = weight or 1.0
        found |= {f"{side}_plain": plain / scale, f"{side}_noisy": noisy / scale, side: float(losses[at])}
    return {name: float(value) for name, value in found.items()}
