"""Pictures of an evaluation as PNG files: the same numbers give the same bytes on the same matplotlib.

Drawn without pyplot, which keeps global state and is not safe in worker threads, and under matplotlib's default style,
so that the reader's own settings change nothing. Labels are data: they are never parsed as mathematics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

MAX_LABEL_CHARS = 24
# Okabe & Ito (2008), Color Universal Design: told apart with every common kind of colour blindness.
_BLUE, _ORANGE, _GREYS = "#0072B2", "#D55E00", ("#333333", "#777777", "#AAAAAA")
_FLOOR_STYLES = ("--", ":", "-.")


def confusion_figure(confusion: Sequence[Sequence[int]], labels: Sequence[str], path: Path) -> None:
    """Draw counts [gold][predicted], coloured by the share of the gold label's examples; writes a PNG to `path`."""
    counts = np.asarray(confusion, dtype=np.float64)
    # By gold label, so that a rare label's mistakes are as visible as a frequent one's; a label without examples is 0.
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    side = max(4.0, 0.42 * len(labels) + 2.2)
    with _plain_style():
        figure = Figure(figsize=(side + 1.0, side), layout="constrained")
        axes = figure.add_subplot()
        image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
        names = [_shorten(label) for label in labels]
        axes.set_xticks(range(len(labels)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(labels)), names)
        axes.set(xlabel="predicted", ylabel="gold")
        _write_counts(axes, counts, shares)
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
        bar.set_label("share of the gold label's examples")
        _save(figure, path)


def loss_figure(rows: Sequence[Mapping[str, float]], floors: Mapping[str, float], path: Path) -> None:
    """Draw loss in nats a token over tokens seen, with floors as horizontal lines; writes a PNG to `path`.

    rows: those of a metrics.jsonl; what has `train/tokens` and `train/loss` or `val/loss` is drawn. floors: name to
    nats a token.
    """
    with _plain_style():
        figure = Figure(figsize=(8.0, 4.5), layout="constrained")
        axes = figure.add_subplot()
        for key, colour, mark in (("train/loss", _BLUE, ""), ("val/loss", _ORANGE, "o")):
            points = [(row["train/tokens"] / 1e6, row[key]) for row in rows if "train/tokens" in row and key in row]
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, marker=mark, markersize=4, label=key)
        for position, (name, nats) in enumerate(sorted(floors.items(), key=lambda floor: -floor[1])):
            style, grey = _FLOOR_STYLES[position % 3], _GREYS[position % 3]
            axes.axhline(nats, color=grey, linestyle=style, label=f"{_shorten(name)}: {nats:.2f}")
        axes.set(xlabel="million tokens", ylabel="nats a token")
        axes.grid(color="#E5E5E5")
        axes.spines[["top", "right"]].set_visible(False)
        if axes.lines:
            axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        _save(figure, path)


@contextmanager
def _plain_style() -> Iterator[None]:
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"text.parse_math": False, "axes.axisbelow": True, "font.size": 9.0})
        yield


def _write_counts(axes: Any, counts: np.ndarray, shares: np.ndarray) -> None:
    """Write the counts that are not 0 into their cells, in white where the colour is dark."""
    size = 8 if len(counts) <= 12 else 7
    for gold, predicted in np.argwhere(counts > 0):
        ink = "white" if shares[gold, predicted] > 0.5 else "black"
        text = f"{counts[gold, predicted]:.0f}"
        axes.text(predicted, gold, text, ha="center", va="center", color=ink, fontsize=size)


def _shorten(label: str) -> str:
    line = " ".join(label.split())
    return line if len(line) <= MAX_LABEL_CHARS else f"{line[: MAX_LABEL_CHARS - 3]}..."


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG without the version of matplotlib, which it would put into the file."""
    # A tight box, because the layout engine forgets the axis label beside square cells and long names.
    figure.savefig(path, format="png", dpi=120, metadata={"Software": None}, bbox_inches="tight")
