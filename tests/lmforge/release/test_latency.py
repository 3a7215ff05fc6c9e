"""Interleaved timing with a clock that the calls move on."""

import polars as pl
import pytest

from lmforge.errors import InputError, IntegrityError
from lmforge.release.latency import WARM_UP, check_latency, time_interleaved


class Machine:
    """A clock and two models, one of which takes twice as long; all calls get slower with time."""

    def __init__(self):
        self.now, self.calls, self.slower = 0.0, [], 1.0

    def model(self, name, seconds):
        def call(text):
            self.calls.append(name)
            self.now += seconds * self.slower
            self.slower *= 1.01

        return call


def timed(texts):
    machine = Machine()
    models = machine.model("challenger", 0.2), machine.model("champion", 0.1)
    return machine, time_interleaved(*models, texts, clock=lambda: machine.now)


def test_pairs_are_timed_and_the_first_changes():
    machine, frame = timed(["a", "b", "c", "d"])
    assert len(frame) == 4
    assert (frame["challenger_seconds"] / frame["champion_seconds"]).median() == pytest.approx(2.0, rel=0.02)
    measured = machine.calls[2 * WARM_UP :]
    assert measured[::2] == ["challenger", "champion", "challenger", "champion"]


def test_warm_up_calls_are_not_in_the_samples():
    machine, frame = timed(["a"])
    assert machine.calls == ["challenger", "champion"] * 2
    assert len(frame) == 1


def test_nothing_to_time_is_said():
    with pytest.raises(InputError, match="0 texts to time"):
        timed([])


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), None])
def test_what_is_no_time_is_refused(latency, seconds):
    frame = latency()
    check_latency(frame)
    changed = frame.with_columns(pl.lit(seconds, pl.Float64).alias("champion_seconds"))
    with pytest.raises(IntegrityError, match="60 of 60 pairs"):
        check_latency(changed)


def test_other_columns_are_refused(latency):
    with pytest.raises(IntegrityError, match="expected challenger_seconds and champion_seconds"):
        check_latency(latency().rename({"champion_seconds": "seconds"}))
