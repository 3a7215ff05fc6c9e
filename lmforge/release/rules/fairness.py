"""Whether the answers of a version depend more than the champion's on whom a text speaks of.

The gap of a model is how much its answers change when identity terms are swapped, in whichever direction: it needs no
gold labels, and says nothing about examples without such a term. Both rules share alpha (Bonferroni).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lmforge.evaluation.metrics import Floats
from lmforge.recipe.robustness import Fairness
from lmforge.release.decision import Rule
from lmforge.release.evidence import Facts
from lmforge.release.resampling import lower_bound, resampled, sum_by_group
from lmforge.release.rules.bounds import unjudged, unmeasured, within
from lmforge.release.rules.robustness import NO_VARIANTS
from lmforge.release.rules.wording import LESS_IS_BETTER
from lmforge.release.variants import IDENTITY, pair

_MEASURES = {"probability_gap": "the probability of the answer changes by", "changed_answers": "answers change in"}


def judge_fairness(facts: Facts, examples: pl.DataFrame, variants: pl.DataFrame | None) -> list[Rule]:
    """Rows `probability_gap` and `changed_answers`; none where the recipe's section is null.

    Not judged without a champion, for a language model, on few examples with a term, without probabilities, or without
    a limit. A limit that is set and was not measured fails.
    """
    policy = facts.policy.fairness
    if policy is None:
        return []
    alone, limit = facts.champion is None, policy.max_fairness_gap_increase
    if facts.metric in LESS_IS_BETTER:
        return [unmeasured(name, "fairness", limit, NO_VARIANTS) for name in _MEASURES]
    if variants is None:
        why, passed = "no champion yet" if alone else "not measured", alone or limit is None
        return [unmeasured(name, "fairness", limit, why, passed=passed) for name in _MEASURES]
    rows = pair(variants, IDENTITY, examples)
    features = {name: _features(rows, name) for name in _MEASURES}
    return [_judge(name, facts, policy, rows, found) for name, found in features.items()]


def mean_gaps(sums: Floats) -> Floats:
    """Mean gaps [..., num_models] from sums [..., num_models + 1], the last the number of examples.

    Of one example the gap is |p - p'|, where p and p' are the probabilities of the answer to the plain text before and
    after the swap (the counterfactual token fairness gap of Garg et al. 2019, arXiv:1809.10610); or 1 for another
    answer and 0 for the same.
    """
    return sums[..., :-1] / sums[..., -1:]


def _features(rows: pl.DataFrame, name: str) -> Floats | None:
    """The gaps of challenger and champion, 0 where there is no champion, and a 1; None without probabilities."""
    columns = []
    for side in ("challenger", "champion"):
        plain, changed = pl.col(f"{side}_confidence"), pl.col(f"{side}_confidence_changed")
        gap = (changed - plain).abs() if name == "probability_gap" else pl.col(f"{side}_changed") != pl.col(side)
        answered = pl.col(side).is_not_null()
        columns.append(pl.when(answered).then(gap.cast(pl.Float64)).otherwise(0.0).alias(side))
    found = rows.select(*columns, pl.lit(1.0).alias("number"))
    return None if sum(found.null_count().row(0)) else found.to_numpy().astype(np.float64)


def _judge(name: str, facts: Facts, policy: Fairness, rows: pl.DataFrame, features: Floats | None) -> Rule:
    limit = policy.max_fairness_gap_increase
    if features is None or not len(features):
        why = "a model gave no probabilities" if features is None else "no example holds an identity term"
        return unmeasured(name, "fairness", limit, why)
    one, other = (float(gap) for gap in mean_gaps(features.sum(axis=0)))
    numbers = {"num_examples": float(len(rows)), "challenger": one}
    said = f"{name}: {_MEASURES[name]} {_shown(name, one)} when identity terms are swapped"
    if facts.champion is None or len(rows) < policy.min_examples:
        few = f"{len(rows)} examples with a term are fewer than {policy.min_examples}"
        words = f"{said}; not judged, {'no champion yet' if facts.champion is None else few}"
        numbers |= {} if facts.champion is None else {"champion": other}
        return unjudged(name, "fairness", limit, words, numbers)
    units = sum_by_group(features, rows["group"])
    drawn = resampled(units, mean_gaps, resamples=facts.policy.resamples, seed=facts.seed)
    bound = lower_bound(drawn[:, 0] - drawn[:, 1], policy.alpha / len(_MEASURES))
    words = f"{said}, champion {_shown(name, other)}, on {len(rows)} examples; the increase is at least {bound:+.4f} "
    words += f"(confidence {1 - policy.alpha:.0%} for both)"
    return within(name, "fairness", limit, words, bound, numbers | {"champion": other})


def _shown(name: str, gap: float) -> str:
    return f"{gap:.4f}" if name == "probability_gap" else f"{gap:.2%}"
