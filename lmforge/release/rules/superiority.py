"""Whether a version is measurably better than the champion, or at least cheaper and not worse than a margin allows.

Both are one-sided at the recipe's alpha, 0.01 by default: a nightly gate at 0.05 would promote an equal model with
1 - 0.95^12 = 46 % in twelve runs.
"""

from __future__ import annotations

import polars as pl
from scipy import stats

from lmforge.evaluation.intervals import PairedComparison
from lmforge.release.comparing import discordant, exchange_p_value, standard_error
from lmforge.release.decision import Rule
from lmforge.release.evidence import Facts
from lmforge.release.power import power_of


def judge_superiority(facts: Facts, examples: pl.DataFrame, comparison: PairedComparison | None) -> list[Rule]:
    """Rows `superiority` and `exchange`, or `mcnemar` for accuracy; `non_inferiority` when the aim is a smaller model.

    The bound says how large the gain is at least, the exact test keeps alpha. Not judged without a champion.
    """
    if comparison is None:
        words = "no champion yet, so nothing to be better than"
        return [_rule("superiority", True, None, None, words, judged=False)]
    if facts.policy.margin is not None:
        return [_against(comparison, -facts.policy.margin, "non_inferiority")]
    rows = [_against(comparison, facts.policy.minimum_gain, "superiority")]
    changed = discordant(examples) if comparison.metric == "accuracy" else None
    if changed is not None:
        return [*rows, _mcnemar(*changed, comparison.alpha)]
    p = exchange_p_value(examples, facts.metric, facts.labels, facts.policy.resamples, facts.seed)
    words = (
        f"an equal model would reach this gain with p = {p:.4f}, {_relation(p, comparison.alpha)} {comparison.alpha}"
    )
    return [*rows, _rule("exchange", p <= comparison.alpha, p, comparison.alpha, words)]


def _against(comparison: PairedComparison, limit: float, name: str) -> Rule:
    passed = comparison.lower_bound > limit
    words = (
        f"gain {comparison.gain:+.4f} {comparison.metric} over the champion; its lower bound "
        f"{comparison.lower_bound:+.4f} (confidence {1 - comparison.alpha:.1%}) is "
        f"{'above' if passed else 'not above'} {limit:.4f}"
    )
    error, visible = standard_error(comparison), comparison.smallest_visible_gain
    numbers = {
        "gain": comparison.gain,
        "interval_low": comparison.interval.low,
        "interval_high": comparison.interval.high,
        "p_value": comparison.p_value,
        "standard_error": error,
        "smallest_visible_gain": visible,
        "power_at_zero_gain": power_of(0.0, error, comparison.alpha, limit),
        "num_examples": float(comparison.num_examples),
    }
    return _rule(name, passed, comparison.lower_bound, limit, words, numbers=numbers)


def _mcnemar(gained: int, lost: int, alpha: float) -> Rule:
    """Exact and one-sided (McNemar 1947): P(Binomial(gained + lost, 1/2) >= gained)."""
    p = float(stats.binom.sf(gained - 1, gained + lost, 0.5))
    passed = p <= alpha
    words = f"{gained} answers mended and {lost} spoilt; exact p = {p:.4f}, {_relation(p, alpha)} {alpha}"
    return _rule("mcnemar", passed, p, alpha, words, numbers={"gained": float(gained), "lost": float(lost)})


def _relation(p: float, alpha: float) -> str:
    return "at most" if p <= alpha else "above"


def _rule(
    name: str,
    passed: bool,
    observed: float | None,
    limit: float | None,
    words: str,
    *,
    numbers: dict[str, float] | None = None,
    judged: bool = True,
) -> Rule:
    return Rule(
        name=name, group="superiority", passed=passed, judged=judged, observed=observed, limit=limit, words=words,
        numbers=numbers or {},
    )  # fmt: skip
