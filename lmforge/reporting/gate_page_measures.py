"""What the page of a gate's decision draws beside its rules: values, slices, reliability and times of both models.

Everything is computed from the evidence again, with the functions that the rules use, so that page and verdict agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from lmforge.release.comparing import value_of
from lmforge.release.decision import Rule
from lmforge.release.evidence import Evidence
from lmforge.release.examples import Side
from lmforge.release.latency import SIDES
from lmforge.release.rules.wording import LESS_IS_BETTER
from lmforge.release.slicing import cut_slices, measure_regression, paired_units
from lmforge.reporting.excerpts import presentable

_QUANTILES = (0.5, 0.9, 0.99)
_NUM_BINS = 24
_MILLISECONDS = 1000.0


def values(evidence: Evidence) -> list[dict[str, Any]]:
    """`name` and `value` of challenger, champion, required minimum and baselines, the metric as people know it."""
    facts = evidence.facts
    sides: tuple[Side, ...] = ("challenger",) if facts.champion is None else ("challenger", "champion")
    # In the order in which the gate added them up.
    examples = evidence.examples.sort("id")
    found: dict[str, float] = {side: value_of(examples, facts.metric, facts.labels, side) for side in sides}
    if facts.minimum is not None:
        found["required minimum"] = facts.minimum
    found |= dict(sorted(facts.baselines.items()))
    sign = -1.0 if facts.metric in LESS_IS_BETTER else 1.0
    return [{"name": name, "value": sign * value} for name, value in found.items()]


def slice_rows(evidence: Evidence, rules: list[Rule]) -> list[dict[str, Any]]:
    """A row a slice: change of the mean score (negative is worse) and, where it is judged, bounds `low` and `high`.

    rules: those of the slices. Of m judged slices of which r broke the limit, the bounds of the others have confidence
    1 - alpha / (m - r), those of the k-th to break it 1 - alpha / (m - k + 1): the steps of Holm (1979), so that a
    slice broke the limit where its upper bound is below it (Guilbaud 2008, Simultaneous confidence regions
    corresponding to Holm's step-down procedure). Without a champion or a limit there are no rows.
    """
    policy = evidence.facts.policy.slices
    if evidence.facts.champion is None or policy.max_regression is None:
        return []
    parts = cut_slices(evidence.examples.sort("id"), policy.columns)
    names = presentable([name for name, _ in parts])
    alphas = _holm_alphas(rules, policy.alpha)
    rows = []
    for name, (_, examples), rule in zip(names, parts, rules, strict=True):
        # Not -observed, which would be -0.0 where nothing changed.
        change = 0.0 - rule.observed if isinstance(rule.observed, float) else 0.0
        row = {"name": name, "num_examples": len(examples), "change": change, "low": None, "high": None}
        if rule.judged:
            row |= _bounds(examples, change, alphas[rule.name], -policy.max_regression if rule.passed else None)
        rows.append(row | {"judged": rule.judged, "passed": rule.passed})
    return rows


def reliability(examples: pl.DataFrame, num_bins: int) -> dict[str, list[dict[str, float]]]:
    """By model, each bin that is not empty: `bin`, `confidence` and `right` (means, 0..1), `number` of answers.

    A model that gives no probabilities is left out.
    """
    curves = {}
    for side in ("challenger", "champion"):
        if examples[f"{side}_confidence"].null_count():
            continue
        bins = (pl.col(f"{side}_confidence") * num_bins).cast(pl.Int64).clip(0, num_bins - 1)
        grouped = examples.group_by(bins.alias("bin")).agg(
            pl.col(f"{side}_confidence").mean().alias("confidence"),
            (pl.col(side) == pl.col("gold")).mean().alias("right"),
            pl.len().alias("number"),
        )
        curves[side] = grouped.sort("bin").to_dicts()
    return curves


def latencies(frame: pl.DataFrame | None) -> dict[str, Any] | None:
    """Quantiles of both models in milliseconds, the ratio of each, and how many calls fall in bins of equal ratio."""
    if frame is None:
        return None
    challenger, champion = (frame[side].to_numpy() * _MILLISECONDS for side in SIDES)
    rows = []
    for share in _QUANTILES:
        first, second = (float(np.quantile(one, share)) for one in (challenger, champion))
        rows.append({"share": share, "challenger": first, "champion": second, "ratio": first / second})
    least, most = (float(pick(np.concatenate([challenger, champion]))) for pick in (np.min, np.max))
    edges = np.geomspace(least, max(most, least * 1.001), _NUM_BINS + 1)
    # A product of roots may miss the ends by a rounding.
    edges[0], edges[-1] = least, max(most, float(edges[-1]))
    counts = [np.histogram(one, edges)[0].tolist() for one in (challenger, champion)]
    return {
        "num_pairs": len(frame), "quantiles": rows, "challenger": counts[0], "champion": counts[1],
        "least": least, "most": most,
    }  # fmt: skip


def _holm_alphas(rules: list[Rule], alpha: float) -> dict[str, float]:
    judged = sorted((rule for rule in rules if rule.judged), key=lambda rule: rule.numbers["p_value"])
    broken = [rule.name for rule in judged if not rule.passed]
    steps = {name: alpha / (len(judged) - at) for at, name in enumerate(broken)}
    return {rule.name: steps.get(rule.name, alpha / max(len(judged) - len(broken), 1)) for rule in judged}


def _bounds(examples: pl.DataFrame, change: float, alpha: float, least_high: float | None) -> dict[str, float]:
    """least_high: of a slice that passed, whose exact test may be less sure than Student's t is."""
    scores, weights = paired_units(examples)
    _, error = measure_regression(scores, weights)
    reach = float(stats.t.ppf(1 - alpha, len(scores) - 1)) * error if error else 0.0
    high = change + reach
    return {"low": change - reach, "high": high if least_high is None else max(high, least_high)}
