"""People see how far a run is, on a terminal and in a log."""

from __future__ import annotations

import os
import pty
import termios
import threading
from pathlib import Path

import pytest
import torch

from lmforge.training.callbacks import AtomicCheckpointIO, _duration, _words
from lmforge.training.checkpoints import checkpoint_path, newest_checkpoint


def test_bar_on_a_terminal_shows_loss_speed_and_time_left(make_spec, program):
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 160))
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
    assert "watched: 100%" in text
    assert "30/30" in text
    assert "loss " in text
    assert "val " in text
    assert "tokens/s" in text


def test_nothing_but_problems_is_printed_in_a_short_run_without_a_terminal(make_spec, program):
    quiet = program(make_spec("quiet", max_steps=4))
    assert quiet.run() == 0
    assert quiet.errors.read_text(encoding="utf-8") == ""


def test_words_show_what_is_known():
    assert _words({}) == ""
    assert _words({"train/loss": 1.25}) == "loss 1.250"
    known = {"train/loss": 1.25, "val/loss": 2.0, "train/tokens_per_second": 12345.6}
    assert _words(known) == "loss 1.250, val 2.000, 12,346 tokens/s"


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (61, "1:01"), (3599.6, "1:00:00"), (7325, "2:02:05")])
def test_time_left(seconds, words):
    assert _duration(seconds) == words


def test_checkpoint_comes_back_and_code_in_it_does_not_run(tmp_path):
    files = AtomicCheckpointIO()
    target = checkpoint_path(tmp_path / "deep", 3)
    files.save_checkpoint({"weights": torch.arange(4.0), "step": 3, "name": "x"}, target)
    loaded = files.load_checkpoint(newest_checkpoint(tmp_path / "deep"))
    assert torch.equal(loaded["weights"], torch.arange(4.0))
    assert (loaded["step"], loaded["name"]) == (3, "x")
    files.save_checkpoint({"call": os.getcwd}, target)
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        files.load_checkpoint(target, weights_only=False)
