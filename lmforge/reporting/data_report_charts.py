"""Charts as inline SVG without text: colours are the page's classes, and numbers stand beside them in HTML.

They are stretched to the width they are given, so that the same chart is read at 400 and at 1200 pixels; text in them
would be stretched too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 1000, 100


def bar(parts: Iterable[tuple[str, float]], total: float, label: str) -> Markup:
    """One horizontal bar of parts (class, size) side by side; `total` is the whole width."""
    rects, start = [], 0.0
    for name, size in parts:
        width = _WIDTH * size / total if total else 0.0
        # Below a thousandth of the width nothing could be seen.
        if size:
            rects.append(_rect(name, start, 0, max(width, 2.0), _HEIGHT))
        start += width
    return svg("bar", rects, label)


def histogram(counts: Sequence[float], then: Sequence[float] | None, label: str) -> Markup:
    """Columns of the shares of `counts`, with a line for those of an earlier table; the highest fills the chart."""
    shares, earlier = _shares(counts), _shares(then or [])
    top = max([*shares, *earlier], default=0.0) or 1.0
    step = _WIDTH / max(len(shares), 1)
    rects = [
        _rect("now", number * step + step * 0.08, _HEIGHT * (1 - share / top), step * 0.84, _HEIGHT * share / top)
        for number, share in enumerate(shares)
        if share
    ]
    if earlier:
        corners = [
            f"{_number(x)},{_number(_HEIGHT * (1 - share / top))}"
            for number, share in enumerate(earlier)
            for x in (number * step, (number + 1) * step)
        ]
        points = " ".join(corners)
        rects.append(f'<polyline class="then" points="{points}" vector-effect="non-scaling-stroke"/>')
    return svg("columns", rects, label)


def used_bins(histograms: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """First and one after the last bin that any of the histograms fills, so that all are drawn over the same bins."""
    filled = [
        number
        for one in histograms
        for counts in (one["counts"], one["then"] or [])
        for number, count in enumerate(counts)
        if count
    ]
    return (min(filled), max(filled) + 1) if filled else (0, 1)


def bin_names(first: int, end: int) -> list[str]:
    """What stands below the bins: the words that each begins with."""
    return [_short(0 if number == 0 else 1 << (number - 1)) for number in range(first, end)]


def svg(name: str, shapes: Iterable[str], label: str) -> Markup:
    """Shapes on 1000 by 100 units as one drawing of the class `name`; they must hold no text that is not escaped."""
    head = f'<svg class="{name}" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
    # Shapes are numbers, and every name in them is escaped.
    return Markup(f'{head} aria-label="{escape(label)}">{"".join(shapes)}</svg>')  # noqa: S704  # nosec B704


def _rect(name: str, x: float, y: float, width: float, height: float) -> str:
    place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
    return f'<rect class="{escape(name)}" {place}/>'


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts)
    return [count / total for count in counts] if total else []


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _short(value: int) -> str:
    for unit, size in (("M", 1 << 20), ("k", 1 << 10)):
        if value >= size:
            return f"{value // size}{unit}"
    return str(value)
