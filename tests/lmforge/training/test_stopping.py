"""A signal is obeyed at once or remembered, and a lost parent counts as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lmforge.training.stopping import PARENT, Stopped, StopRequest

STUCK = """
import time
from lmforge.training.stopping import StopRequest
stop = StopRequest(grace_seconds=0.5)
stop.remember()
print("in a step", flush=True)
while True:
    time.sleep(60)
"""


@pytest.fixture
def stop():
    """A request that ends no process after the test."""
    request = StopRequest()
    yield request
    request.leave_at_once()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_is_remembered_for_the_end_of_the_step(stop, number):
    stop.remember()
    assert stop.pending is None
    os.kill(os.getpid(), number)
    assert stop.pending == number


def test_second_signal_changes_nothing(stop):
    stop.remember()
    for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    assert stop.pending == signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_program_while_there_is_nothing_to_save(number):
    StopRequest().leave_at_once()
    with pytest.raises(SystemExit) as caught:
        os.kill(os.getpid(), number)
    assert caught.value.code == 128 + number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_step_that_takes_too_long_is_given_up(number):
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], cwd=Path(__file__).parents[3], stdout=-1, stderr=-1, text=True
    )
    assert process.stdout.readline() == "in a step\n"
    began = time.monotonic()
    process.send_signal(number)
    _, printed = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert 0.4 < time.monotonic() - began < 5
    assert "the step takes more than 0.5 s: it is given up" in printed


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
