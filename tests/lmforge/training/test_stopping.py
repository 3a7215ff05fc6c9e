"""A signal is obeyed at once or remembered, and a lost parent counts as one."""

from __future__ import annotations

import os
import signal

import pytest

from lmforge.training.stopping import PARENT, Stopped, StopRequest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_remembered_for_the_end_of_the_step(number):
    stop = StopRequest()
    stop.remember()
    assert stop.pending is None
    os.kill(os.getpid(), number)
    assert stop.pending == number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_program_while_there_is_nothing_to_save(number):
    StopRequest().leave_at_once()
    with pytest.raises(SystemExit) as caught:
        os.kill(os.getpid(), number)
    assert caught.value.code == 128 + number


@pytest.mark.parametrize(
    ("parent", "pending"), [(None, None), ("", None), (str(os.getppid()), None), ("999999999", signal.SIGTERM)]
)
def test_parent_that_is_gone_counts_as_sigterm(monkeypatch, parent, pending):
    monkeypatch.delenv(PARENT, raising=False)
    if parent is not None:
        monkeypatch.setenv(PARENT, parent)
    assert StopRequest().pending == pending


def test_stopped_says_by_what():
    assert str(Stopped(15)) == "stopped by SIGTERM"
    assert Stopped(2).number == 2
