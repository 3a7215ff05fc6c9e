"""Learning rates over a run, as factors of the highest: warm-up, then linear, cosine, trapezoid or constant.

A schedule is a pure function of the position in the run, in steps. The position may have a fraction and be ahead of the
steps done: where a run also ends after tokens or minutes, it says how much of the nearest end is used up.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Factor = Callable[[float], float]

_COOLDOWN_PART = 5  # of the run is its last fifth


def _linear(warmup: int, total: int) -> Factor:
    """Straight to zero at the end (Devlin et al. 2019, appendix A.2)."""
    return lambda step: min(_warm(step, warmup), max(0.0, (total - step) / max(1, total - warmup)))


def _cosine(warmup: int, total: int) -> Factor:
    """Half a wave to zero at the end (Loshchilov and Hutter 2017, equation 5, without restarts)."""

    def factor(step: float) -> float:
        progress = min(1.0, max(0, step - warmup) / max(1, total - warmup))
        return _warm(step, warmup) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor


def _trapezoid(warmup: int, total: int) -> Factor:
    """Constant, then linear to zero over the last fifth (Hägele et al. 2024, section 3)."""
    cooldown = max(1, total // _COOLDOWN_PART)
    return lambda step: min(_warm(step, warmup), max(0.0, (total - step) / cooldown))


def _constant(warmup: int, total: int) -> Factor:
    """The highest rate after the warm-up."""
    return lambda step: _warm(step, warmup)


def _warm(step: float, warmup: int) -> float:
    # The first step is one of the warm-up: a factor of zero would waste it.
    return min(1.0, (step + 1) / max(1, warmup))


SCHEDULES: dict[str, Callable[[int, int], Factor]] = {
    "linear": _linear,
    "cosine": _cosine,
    "trapezoid": _trapezoid,
    "constant": _constant,
}
