"""How often the gate errs where the truth is planted: two models of known quality answer drawn test sets.

Each function draws its own data from seeds and counts. The data are those of the tests (`tests/instrument.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lmforge.recipe.release import Slices
from lmforge.release.bleu import paired_bootstrap_p_value
from lmforge.release.comparing import compare, value_of
from lmforge.release.gate import judge
from lmforge.release.power import power_of
from lmforge.release.rules.budgets import judge_budgets
from lmforge.release.rules.slices import judge_slices
from tests.instrument import LABELS, make_evidence, make_examples, make_facts, make_latency, make_policy, translated

# Gains of the power curve and the test set that they are looked for in.
GAINS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.065, 0.08, 0.1)
NUM_EXAMPLES, CHAMPION, POWER_ALPHA = 400, 0.75, 0.05
_SURE = 0.999


class Count(NamedTuple):
    """How often something happened in draws, and between which numbers it should have, both included."""

    what: str
    setting: str
    draws: int
    times: int
    at_least: int
    at_most: int

    @property
    def passed(self) -> bool:
        return self.at_least <= self.times <= self.at_most

    @property
    def interval(self) -> tuple[float, float]:
        """Of the rate at confidence 95 % (Clopper & Pearson 1934)."""
        found = stats.binomtest(self.times, self.draws).proportion_ci(0.95, "exact")
        return float(found.low), float(found.high)


class Point(NamedTuple):
    """A point of the power curve: a planted gain, how often it was declared, and how often the formula says."""

    gain: float
    count: Count
    formula: float


def equal_models(num_draws: int) -> Iterator[Count]:
    """How often an equal model is promoted, at most alpha allowed."""
    settings = (
        ("accuracy", 0.05, {}), ("accuracy", 0.01, {}), ("macro_f1", 0.05, {"rare_class": True}),
        ("macro_f1", 0.01, {}), ("macro_f1", 0.05, {}),
    )  # fmt: skip
    for metric, alpha, data in settings:
        free = make_policy(alpha=alpha, slices={"max_regression": None}, robustness=None, fairness=None)
        facts = make_facts(metric=metric, policy=free)
        times = _times(
            num_draws,
            lambda seed, facts=facts, data=data: (
                judge(make_evidence(facts, num_examples=300, seed=seed, confidence=False, **data)).promote
            ),
        )
        rare = ", one label in fifty rare" if data else ""
        yield _at_most(f"equal model promoted, alpha {alpha}", f"{metric}, 300 examples{rare}", num_draws, times, alpha)
    p_values = [_sacrebleu_p_value(seed) for seed in range(num_draws)]
    for alpha in (0.05, 0.01):
        what = f"equal model called better by sacreBLEU's test, alpha {alpha}"
        times = sum(one <= alpha for one in p_values)
        yield _at_most(what, "bleu, 300 examples", num_draws, times, alpha)


def power_curve(num_draws: int) -> Iterator[Point]:
    """How often a planted gain has a lower bound above 0, for two models that err independently.

    Seeds of its own for each gain: the luck of one draw would bend the whole curve.
    """
    for number, gain in enumerate(GAINS):
        shares = np.array([CHAMPION, CHAMPION + gain])
        error = float(np.sqrt((shares * (1 - shares)).sum() / NUM_EXAMPLES))
        formula = power_of(gain, error, POWER_ALPHA)
        times = _times(num_draws, lambda seed, gain=gain, first=number * num_draws: _declared(gain, first + seed))
        # Four points for what the percentiles of 1000 resamples and the steps of 1/400 add to the luck of the draws.
        low, high = stats.binom.ppf([1 - _SURE, _SURE], num_draws, formula)
        least, most = int(low - 0.04 * num_draws), int(high + 0.04 * num_draws)
        setting = f"accuracy, {NUM_EXAMPLES} examples, alpha {POWER_ALPHA}"
        yield Point(gain, Count(f"planted gain {gain:+.3f} declared", setting, num_draws, times, least, most), formula)


def planted_regressions(num_draws: int) -> Iterator[Count]:
    """How often a slice or a latency that is worse is caught, and how often a sound one is accused."""
    worse = _times(num_draws, lambda seed: _failed_slices(seed, 1200, gain=0.1, slice_loss=0.35) == ["kind=rare"])
    yield _at_least("slice that is worse by 0.25 caught, and no other", "300 of 1200 examples", num_draws, worse)
    accused = _times(num_draws, lambda seed: bool(_failed_slices(seed, 400, policy=Slices(max_regression=0.0))))
    yield _at_most("any slice of an equal model accused", "400 examples, limit 0", num_draws, accused, Slices().alpha)
    slow = _times(num_draws, lambda seed: not _fast_enough(1.8, seed))
    yield _at_least("latency 1.8 times the champion's caught", "60 pairs, limit 1.5", num_draws, slow)
    limit = _times(num_draws, lambda seed: _fast_enough(1.5, seed))
    yield _at_most("latency at the limit let through", "60 pairs, limit 1.5", num_draws, limit, 0.05)
    same = _times(num_draws, lambda seed: _fast_enough(1.0, seed))
    yield _at_least("equal latency let through", "60 pairs, limit 1.5", num_draws, same)


def _times(num_draws: int, happens: Callable[[int], bool]) -> int:
    return sum(happens(seed) for seed in range(num_draws))


def _at_most(what: str, setting: str, draws: int, times: int, chance: float) -> Count:
    # A sound gate is above this once in a thousand seeds.
    return Count(what, setting, draws, times, 0, int(stats.binom.ppf(_SURE, draws, chance)))


def _at_least(what: str, setting: str, draws: int, times: int) -> Count:
    return Count(what, setting, draws, times, int(np.ceil(0.95 * draws)), draws)


def _declared(gain: float, seed: int) -> bool:
    examples = make_examples(NUM_EXAMPLES, gain, seed, accuracy=CHAMPION, confidence=False)
    return compare(examples, "accuracy", LABELS, make_policy(alpha=POWER_ALPHA), 1).lower_bound > 0


def _sacrebleu_p_value(seed: int) -> float:
    """The p-value where the challenger has a gain, else 1, as the gate reads it."""
    examples = translated(make_examples(300, seed=seed, confidence=False))
    challenger, champion = (value_of(examples, "bleu", LABELS, side) for side in ("challenger", "champion"))
    texts = [examples[name].to_list() for name in ("challenger", "champion", "gold")]
    return paired_bootstrap_p_value(*texts, 1000) if challenger > champion else 1.0


def _failed_slices(seed: int, num_examples: int, policy: Slices | None = None, **planted: float) -> list[str]:
    examples = make_examples(num_examples, seed=seed, confidence=False, **planted)
    return [row.name for row in judge_slices(examples, policy or Slices(), champion=True) if not row.passed]


def _fast_enough(ratio: float, seed: int) -> bool:
    return judge_budgets(make_facts(), make_latency(ratio, seed=seed))[0].passed
