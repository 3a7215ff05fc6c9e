"""Only a whole checkpoint is ever used, and the ones that are kept are good ones."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lmforge.training.checkpoints import (
    checkpoint_path,
    newest_checkpoint,
    prune_checkpoints,
    step_of,
    write_checkpoint,
)


def write(directory, *steps):
    for step in steps:
        write_checkpoint(checkpoint_path(directory, step), b"weights after %d" % step)


def test_newest_by_step_not_by_name_or_time(tmp_path):
    write(tmp_path, 10, 9, 100)
    newest = newest_checkpoint(tmp_path)
    assert step_of(newest) == 100
    assert newest.read_bytes() == b"weights after 100"
    assert step_of(newest_checkpoint(tmp_path / "none")) == 0


@pytest.mark.parametrize("cut", [0, 1, 1 << 15, 1 << 16, (1 << 17) - 1])
def test_checkpoint_of_usual_size_is_not_used_when_truncated(tmp_path, cut):
    write(tmp_path, 1)
    target = checkpoint_path(tmp_path, 2)
    write_checkpoint(target, np.random.default_rng(0).bytes(1 << 17))
    os.truncate(target, cut)
    assert step_of(newest_checkpoint(tmp_path)) == 1


def test_300_of_300_flipped_bits_are_seen_at_random_places(tmp_path):
    rng = np.random.default_rng(0)
    content = rng.bytes(1 << 17)
    write(tmp_path, 1)
    for position in rng.integers(len(content) * 8, size=300):
        target = checkpoint_path(tmp_path, 2)
        target.write_bytes(content)
        target.with_suffix(".sha256").write_text(hashlib.sha256(content).hexdigest())
        with target.open("r+b") as file:
            file.seek(position // 8)
            file.write(bytes([content[position // 8] ^ 1 << position % 8]))
        assert step_of(newest_checkpoint(tmp_path)) == 1


@pytest.mark.parametrize("cut", [0, 1, 8, 14])
def test_truncated_checkpoint_is_set_aside(tmp_path, caplog, cut):
    write(tmp_path, 1, 2)
    target = checkpoint_path(tmp_path, 2)
    target.write_bytes(target.read_bytes()[:cut])
    with caplog.at_level(logging.WARNING):
        assert step_of(newest_checkpoint(tmp_path)) == 1
    assert f"{target} is damaged" in caplog.text
    assert (tmp_path / f"damaged-{target.name}").is_file()


def test_every_flipped_bit_is_seen(tmp_path):
    write(tmp_path, 1)
    target = checkpoint_path(tmp_path, 1)
    good = target.read_bytes()
    for position in range(len(good) * 8):
        write(tmp_path, 1)
        bad = bytearray(good)
        bad[position // 8] ^= 1 << position % 8
        target.write_bytes(bad)
        assert newest_checkpoint(tmp_path) is None


def test_a_crash_between_checksum_and_checkpoint_leaves_the_one_before(tmp_path):
    write(tmp_path, 1, 2)
    checkpoint_path(tmp_path, 2).unlink()
    assert step_of(newest_checkpoint(tmp_path)) == 1
    checkpoint_path(tmp_path, 1).with_suffix(".sha256").unlink()
    assert newest_checkpoint(tmp_path) is None


def test_pruning_keeps_the_newest_whole_ones(tmp_path):
    write(tmp_path, 1, 2, 3, 4)
    checkpoint_path(tmp_path, 4).write_bytes(b"damaged")
    (tmp_path / ".step-000000005.ckpt.partial").write_bytes(b"half")
    assert step_of(newest_checkpoint(tmp_path)) == 3
    prune_checkpoints(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "damaged-step-000000004.ckpt",
        *(f"step-{step:09d}.{kind}" for step in (2, 3) for kind in ("ckpt", "sha256")),
    ]
    assert step_of(newest_checkpoint(tmp_path)) == 3


def test_pruning_removes_what_killed_processes_left(tmp_path):
    """A checksum whose checkpoint was deleted, and one whose checkpoint never came."""
    write(tmp_path, 3, 4)
    for step in (2, 5):
        checkpoint_path(tmp_path, step).with_suffix(".sha256").write_text("0" * 64)
    prune_checkpoints(tmp_path, 2)
    assert len(list(tmp_path.iterdir())) == 4
    assert step_of(newest_checkpoint(tmp_path)) == 4


@pytest.mark.parametrize("kind", ["truncate", "bitflip"])
def test_what_the_disk_does_not_keep_is_seen_before_anything_is_deleted(tmp_path, kind):
    write(tmp_path, 1)
    program = (
        "import sys; from pathlib import Path; from lmforge.training.checkpoints import *;"
        "write_checkpoint(checkpoint_path(Path(sys.argv[1]), 2), bytes(1000)); prune_checkpoints(Path(sys.argv[1]), 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {"LMFORGE_FAULT": f"train.checkpoint.written:{kind}"}, cwd=Path(__file__).parents[3],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "what was written reads back differently" in done.stderr
    assert step_of(newest_checkpoint(tmp_path)) == 1


def test_unwritable_directory_is_an_error_with_its_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write(tmp_path / "file", 1)
