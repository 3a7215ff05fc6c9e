"""Whether a version is measurably better than the champion, or at least cheaper and not worse than a margin allows.

Both are one-sided at the recipe's alpha, 0.01 by default: a nightly gate at 0.05 would promote an equal model with
1 - 0.95^12 = 46 % in twelve runs.
"""

from __future__ import annotations

import polars as pl
from scipy import stats

from lmforge.evaluation.intervals import PairedComparison
from lmforge.release.bleu import paired_bootstrap_p_value
from lmforge.release.comparing import discordant, exchange_p_value, standard_error
from lmforge.release.decision import Rule
from lmforge.release.evidence import Facts
from lmforge.release.power import power_of

# sacreBLEU's own default of 1,000 shows no p-value below 0.001, a tenth of the alpha of the gate.
_MIN_SACREBLEU_RESAMPLES = 10_000


def judge_superiority(facts: Facts, examples: pl.DataFrame, comparison: PairedComparison | None) -> list[Rule]:
    """Rows `superiority` and `exchange`, or `mcnemar` for accuracy; `non_inferiority` when the aim is a smaller model.

    For BLEU there is a row `sacrebleu` too. The bound says how large the gain is at least, the exact test keeps alpha.
    Not judged without a champion.
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
    rows.append(_rule("exchange", p <= comparison.alpha, p, comparison.alpha, words))
    return [*rows, _sacrebleu(examples, comparison)] if comparison.metric == "bleu" else rows


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


def _sacrebleu(examples: pl.DataFrame, comparison: PairedComparison) -> Rule:
    """Gain and p-value of sacreBLEU's paired bootstrap, by sentence whatever the groups.

    The test asks whether the models differ, so a loss passes for nothing. Its p-value is not halved: what it counts is
    how far a resample's absolute difference lies above the mean of these, and of a clear difference that is one tail
    only. Models that answer alike have the smallest p-value of all, so without a gain it is not looked at.
    """
    challenger, champion, gold = (examples[name].to_list() for name in ("challenger", "champion", "gold"))
    alpha, resamples = comparison.alpha, max(comparison.resamples, _MIN_SACREBLEU_RESAMPLES)
    found = paired_bootstrap_p_value(challenger, champion, gold, resamples)
    p = found if comparison.gain > 0 else 1.0
    said = f"sacreBLEU's paired bootstrap: p = {found:.4f}"
    words = (
        f"{said}, {_relation(p, alpha)} {alpha}" if comparison.gain > 0 else f"{said} of a difference that is no gain"
    )
    numbers = {"p_value": found, "resamples": float(resamples)}
    return _rule("sacrebleu", p <= alpha, p, alpha, words, numbers=numbers)


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
