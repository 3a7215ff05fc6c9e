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
    alone = facts.champion is None
    if facts.metric in LESS_IS_BETTER:
        return [_unmeasured(name, policy, NO_VARIANTS, passed=True) for name in _MEASURES]
    if variants is None:
        why, passed = "no champion yet" if alone else "not measured", alone or policy.max_fairness_gap_increase is None
        return [_unmeasured(name, policy, why, passed=passed) for name in _MEASURES]
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
    if features is None:
        return _unmeasured(name, policy, "a model gave no probabilities", passed=True)
    if not len(features):
        return _unmeasured(name, policy, "no example holds an identity term", passed=True)
    one, other = (float(gap) for gap in mean_gaps(features.sum(axis=0)))
    numbers = {"num_examples": float(len(rows)), "challenger": one}
    said = f"{name}: {_MEASURES[name]} {_shown(name, one)} when identity terms are swapped"
    if facts.champion is None or len(rows) < policy.min_examples:
        few = f"{len(rows)} examples with a term are fewer than {policy.min_examples}"
        words = f"{said}; not judged, {'no champion yet' if facts.champion is None else few}"
        numbers |= {} if facts.champion is None else {"champion": other}
        return _rule(name, policy, words, numbers, None, passed=True, judged=False)
    units = sum_by_group(features, rows["group"])
    drawn = resampled(units, mean_gaps, resamples=facts.policy.resamples, seed=facts.seed)
    bound = lower_bound(drawn[:, 0] - drawn[:, 1], policy.alpha / len(_MEASURES))
    limit = policy.max_fairness_gap_increase
    words = f"{said}, champion {_shown(name, other)}, on {len(rows)} examples; the increase is at least {bound:+.4f} "
    words += f"(confidence {1 - policy.alpha:.0%} for both), "
    words += "no limit is set" if limit is None else f"allowed {limit:+.4f}"
    passed, numbers = limit is None or bound <= limit, numbers | {"champion": other}
    return _rule(name, policy, words, numbers, bound, passed=passed, judged=limit is not None)


def _shown(name: str, gap: float) -> str:
    return f"{gap:.4f}" if name == "probability_gap" else f"{gap:.2%}"


def _unmeasured(name: str, policy: Fairness, why: str, *, passed: bool) -> Rule:
    words = f"{name}: not judged, {why}" if passed else f"{name}: {why}, and the recipe sets a limit: evaluate again"
    return _rule(name, policy, words, {}, None, passed=passed, judged=not passed)


def _rule(
    name: str, policy: Fairness, words: str, numbers: dict[str, float], bound: float | None, *, passed: bool,
    judged: bool,
) -> Rule:  # fmt: skip
    return Rule(
        name=name, group="fairness", passed=passed, judged=judged, observed=bound,
        limit=policy.max_fairness_gap_increase, words=words, numbers=numbers,
    )  # fmt: skip
