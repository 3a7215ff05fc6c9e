"""Times two models call by call, in pairs whose order alternates, so that what slows the machine slows both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import polars as pl

from lmforge.errors import InputError, IntegrityError

SIDES = ("challenger_seconds", "champion_seconds")
# The first calls of a process pay for caches and for memory that later ones reuse.
WARM_UP = 3


def time_interleaved(
    challenger: Callable[[str], object],
    champion: Callable[[str], object],
    texts: Sequence[str],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> pl.DataFrame:
    """A row a text: `challenger_seconds` and `champion_seconds`, float64; which goes first changes with every text.

    Raises InputError without a text.
    """
    if not texts:
        raise InputError("0 texts to time: give some of the test set, about 100 for an interval worth reading")
    calls = (challenger, champion)
    for text in texts[:WARM_UP]:
        for call in calls:
            call(text)
    rows = []
    for number, text in enumerate(texts):
        seconds = [0.0, 0.0]
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            start = clock()
            calls[which](text)
            seconds[which] = clock() - start
        rows.append(seconds)
    return pl.DataFrame(rows, schema=dict.fromkeys(SIDES, pl.Float64), orient="row")


def check_latency(frame: pl.DataFrame) -> None:
    """Raise IntegrityError unless each row holds the seconds of both models, finite and above 0."""
    found = dict(frame.schema)
    if found != dict.fromkeys(SIDES, pl.Float64):
        raise IntegrityError(f"latency has columns {found}, expected {' and '.join(SIDES)}: time the models again")
    sound = frame.select(pl.all_horizontal((pl.all().is_finite() & (pl.all() > 0)).fill_null(False))).to_series()
    if broken := int((~sound).sum()):
        raise IntegrityError(f"latency: {broken} of {len(frame)} pairs are no times above 0: time the models again")
