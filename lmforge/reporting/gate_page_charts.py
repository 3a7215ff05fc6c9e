"""Charts of the page of a gate's decision, drawn like those of the data: stretched, without text, classes as colours.

A dot is a line of no length with a round end, because a circle would become an ellipse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from lmforge.reporting.data_report_charts import svg

_WIDTH, _HEIGHT = 1000.0, 100.0
_MARGIN, _EDGE = 0.04, 0.01


class Scale(NamedTuple):
    """The values at the left and the right end of a chart."""

    least: float
    most: float

    def place(self, value: float) -> float:
        """Where a value stands, 0..1000; one that is outside stands near the end, so that its dot is seen."""
        share = (value - self.least) / (self.most - self.least)
        return _WIDTH * min(max(share, _EDGE), 1.0 - _EDGE)


def scale_over(numbers: Sequence[float]) -> Scale:
    """A scale that holds all numbers, with a little space beside them."""
    least, most = min(numbers), max(numbers)
    space = (most - least) * _MARGIN or 1.0
    return Scale(least - space, most + space)


def range_chart(
    scale: Scale, value: float, bounds: tuple[float, float] | None, marks: Mapping[str, float], name: str, label: str
) -> Markup:
    """A dot at `value` with a line over `bounds`, across upright lines at `marks` (class to value).

    name: class of dot and line.
    """
    shapes = [_line(kind, scale.place(at), 0, scale.place(at), _HEIGHT) for kind, at in marks.items()]
    if bounds is not None:
        shapes.append(_line(f"span {name}", scale.place(bounds[0]), 50, scale.place(bounds[1]), 50))
    shapes.append(_line(f"dot {name}", scale.place(value), 50, scale.place(value), 50))
    return svg("range", shapes, label)


def curves(points: Mapping[str, Sequence[tuple[float, float]]], label: str) -> Markup:
    """Curves (class to points in 0..1, upwards) over the diagonal."""
    shapes = [_line("diagonal", 0, _HEIGHT, _WIDTH, 0)]
    # The last is drawn over the others.
    for name, places in reversed(list(points.items())):
        drawn = [(_WIDTH * x, _HEIGHT * (1 - y)) for x, y in places]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        shapes.append(f'<polyline class="curve {escape(name)}" points="{corners}" vector-effect="non-scaling-stroke"/>')
        shapes += [_line(f"dot {name}", x, y, x, y) for x, y in drawn]
    return svg("square", shapes, label)


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> str:
    place = f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"
    return f'<path class="{escape(name)}" d="{place}" vector-effect="non-scaling-stroke"/>'
