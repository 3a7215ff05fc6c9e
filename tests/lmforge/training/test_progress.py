"""People see how far a run is, on a terminal and in a log."""

from __future__ import annotations

import os
import pty
import re
import termios
import threading
from pathlib import Path

import pytest

from lmforge.training.progress import _duration, _words


def test_bar_on_a_terminal_shows_loss_speed_and_time_left(make_spec, program):
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    shown: list[bytes] = []

    def drain() -> None:
        try:
            while chunk := os.read(master, 4096):
                shown.append(chunk)
        except OSError:  # how a pseudo-terminal ends
            return

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    watched = program(make_spec("watched", max_steps=30))
    watched.errors = Path(os.ttyname(slave))
    code = watched.run()
    os.close(slave)
    reader.join(5)
    os.close(master)
    text = b"".join(shown).decode()
    assert code == 0, text
    whole = r"watched 30/30, loss \d\.\d{3}, val \d\.\d{3}, 0:00 left, [\d,]+ tokens/s"
    assert re.search(whole, text), "nothing is cut off at 80 columns"


def test_nothing_but_problems_is_printed_in_a_short_run_without_a_terminal(make_spec, program):
    quiet = program(make_spec("quiet", max_steps=4))
    assert quiet.run() == 0
    assert quiet.errors.read_text(encoding="utf-8") == ""


def test_words_show_what_is_known():
    assert _words({}, 9.6) == "0:10 left"
    assert _words({"train/loss": 1.25}, 61) == "loss 1.250, 1:01 left"
    known = {"train/loss": 1.25, "val/loss": 2.0, "train/tokens_per_second": 12345.6}
    assert _words(known, 7325) == "loss 1.250, val 2.000, 2:02:05 left, 12,346 tokens/s"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (61, "1:01"), (3599.6, "1:00:00"), (7325, "2:02:05")])
def test_time_left(seconds, words):
    assert _duration(seconds) == words
