"""Whether a version costs no more than a budget allows, as ratios to the champion's cost on the same machine.

Here the limit has to be kept for sure, by the upper bound, because more calls can always be timed; a budget that was
not measured is broken. Ratios compound: two releases at 1.5 are 2.25 together.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from scipy import stats

from lmforge.evaluation.metrics import Floats
from lmforge.release.decision import Rule
from lmforge.release.evidence import Facts


def judge_budgets(facts: Facts, latency: pl.DataFrame | None) -> list[Rule]:
    """Rows `latency`, `size`, `memory`, and `cheaper` when the aim is a smaller model; no champion, no judgement."""
    if facts.champion is None:
        return [_rule(name, None, None, "no champion yet", judged=False) for name in ("latency", "size", "memory")]
    limits, one, other = facts.policy.budgets, facts.challenger, facts.champion
    median, upper = (None, None) if latency is None else latency_ratio(latency, limits.alpha)
    size = one.size_bytes / other.size_bytes if other.size_bytes else None
    peaks = (one.peak_memory_bytes, other.peak_memory_bytes)
    memory = peaks[0] / peaks[1] if peaks[0] and peaks[1] else None
    rows = [
        _latency(median, upper, limits.latency_ratio, 0 if latency is None else len(latency), limits.alpha),
        _plain("size", size, limits.size_ratio),
        _plain("memory", memory, limits.memory_ratio),
    ]
    return rows + ([_cheaper(upper, size)] if facts.policy.aim == "smaller" else [])


def latency_ratio(latency: pl.DataFrame, alpha: float) -> tuple[float, float | None]:
    """Median ratio of paired calls, and its one-sided upper limit at confidence 1 - alpha.

    The limit is the order statistic that bounds a median whatever the distribution (Conover 1999, Practical
    Nonparametric Statistics, section 3.2); None where there are too few pairs for the confidence.
    """
    first, second = (latency[f"{side}_seconds"].to_numpy() for side in ("challenger", "champion"))
    ratios: Floats = np.sort(first / second)
    rank = int(stats.binom.ppf(1 - alpha, len(ratios), 0.5)) + 1
    return float(np.median(ratios)), float(ratios[rank - 1]) if rank <= len(ratios) else None


def _latency(median: float | None, upper: float | None, limit: float | None, num_pairs: int, alpha: float) -> Rule:
    if median is None or upper is None:
        return _rule("latency", None, limit, f"{num_pairs} pairs of calls are too few to say", judged=limit is not None)
    words = (
        f"{median:.3f} times the champion's, surely below {upper:.3f} (confidence {1 - alpha:.0%}, {num_pairs} pairs)"
    )
    numbers = {"ratio": median, "upper_bound": upper, "num_pairs": float(num_pairs)}
    return _rule("latency", upper, limit, words, judged=limit is not None, numbers=numbers)


def _plain(name: str, ratio: float | None, limit: float | None) -> Rule:
    words = "not measured" if ratio is None else f"{ratio:.3f} times the champion's"
    return _rule(name, ratio, limit, words, judged=limit is not None)


def _cheaper(upper: float | None, size: float | None) -> Rule:
    """Without this an equal model could be released again and again, each time a margin worse."""
    least = min((one for one in (upper, size) if one is not None), default=math.inf)
    words = f"{'cheaper' if least < 1 else 'not measurably cheaper'} than the champion in latency or size"
    found = least if math.isfinite(least) else None
    return Rule(name="cheaper", group="budgets", passed=least < 1, observed=found, limit=1.0, words=words)


def _rule(
    name: str,
    observed: float | None,
    limit: float | None,
    words: str,
    *,
    judged: bool,
    numbers: dict[str, float] | None = None,
) -> Rule:
    passed = not judged or (observed is not None and limit is not None and observed <= limit)
    allowed = f"; allowed {limit:.3f}" if limit is not None else ""
    return Rule(
        name=name, group="budgets", passed=passed, judged=judged, observed=observed, limit=limit,
        words=f"{name}: {words}{allowed}", numbers=numbers or {},
    )  # fmt: skip
