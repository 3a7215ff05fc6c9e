"""Only a whole checkpoint is ever used, and the ones that are kept are good ones."""

from __future__ import annotations

import logging

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


def test_unwritable_directory_is_an_error_with_its_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write(tmp_path / "file", 1)
