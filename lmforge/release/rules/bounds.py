"""Rows of rules that fail when the lower bound of an increase over the champion is above a limit.

So harm has to be shown: what was not measured, or on too few examples, accuses nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

from lmforge.release.decision import Group, Rule


def within(
    name: str, group: Group, limit: float | None, words: str, bound: float, numbers: Mapping[str, float]
) -> Rule:
    """Whether a bound keeps to its limit, which `words` do not name yet; without one it is reported and not judged."""
    said = "no limit is set" if limit is None else f"allowed {limit:+.4f}"
    return Rule(
        name=name, group=group, passed=limit is None or bound <= limit, judged=limit is not None, observed=bound,
        limit=limit, words=f"{words}, {said}", numbers=dict(numbers),
    )  # fmt: skip


def unjudged(name: str, group: Group, limit: float | None, words: str, numbers: Mapping[str, float]) -> Rule:
    """A row that has passed because there was nothing to judge it by; `numbers` are shown all the same."""
    return Rule(
        name=name, group=group, passed=True, judged=False, observed=None, limit=limit, words=words,
        numbers=dict(numbers),
    )  # fmt: skip


def unmeasured(name: str, group: Group, limit: float | None, why: str, *, passed: bool = True) -> Rule:
    """A row without a measurement; passed: False where the recipe asks for one."""
    if passed:
        return unjudged(name, group, limit, f"{name}: not judged, {why}", {})
    words = f"{name}: {why}, and the recipe sets a limit: evaluate again"
    return Rule(name=name, group=group, passed=False, observed=None, limit=limit, words=words)
