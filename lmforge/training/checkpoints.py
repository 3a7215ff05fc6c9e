"""The checkpoint files of a run: which is the newest that can be trusted, and how one becomes visible.

A checkpoint counts when the SHA-256 beside it is right. The checksum is written first and the checkpoint is renamed
into place after it, so that a crash at any point leaves whole checkpoints only. Kept free of torch for its callers.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from pathlib import Path

from lmforge.faults import point
from lmforge.hashing import hash_file
from lmforge.training.durable import PARTIAL, write_file

logger = logging.getLogger(__name__)

_GLOB = "step-*.ckpt"


def checkpoint_path(directory: Path, step: int) -> Path:
    """Where the checkpoint after `step` steps is; names sort by step."""
    return directory / f"step-{step:09d}.ckpt"


def step_of(checkpoint: Path | None) -> int:
    """Steps done when a checkpoint was written; 0 without one."""
    return int(checkpoint.stem.removeprefix("step-")) if checkpoint else 0


def newest_checkpoint(directory: Path) -> Path | None:
    """The newest checkpoint whose checksum is right, or None.

    A damaged one is named in the log and set aside, so that it does not count among those that are kept.
    """
    for path in sorted(directory.glob(_GLOB), reverse=True):
        beside = _checksum(path)
        if beside.is_file() and beside.read_text(encoding="ascii", errors="replace") == hash_file(path):
            return path
        logger.warning("%s is damaged or incomplete; going on from the one before it", path)
        path.replace(path.with_name(f"damaged-{path.name}"))
        beside.unlink(missing_ok=True)
    return None


def write_checkpoint(target: Path, content: bytes | memoryview) -> None:
    """Write a checkpoint whole or not at all, and read it back.

    Raises TrainingError when the disk is full, OSError when it does not keep what was written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()
    write_file(_checksum(target), digest.encode("ascii"), "train.checksum")
    write_file(target, content, "train.checkpoint")
    _forget(target)
    if hash_file(target) != digest:
        raise OSError(errno.EIO, "what was written reads back differently", str(target))
    point("train.checkpoint.read_back", target)


def prune_checkpoints(directory: Path, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints, and what a killed process left behind.

    To be called after the newest was read back, which `write_checkpoint` does.
    """
    for path in sorted(directory.glob(_GLOB))[:-keep]:
        path.unlink()
        point("train.checkpoint.old_deleted")
    for path in directory.glob("step-*.sha256"):
        if not path.with_suffix(".ckpt").exists():
            path.unlink()
    for path in directory.glob(f".*{PARTIAL}"):
        path.unlink()
    point("train.checkpoint.pruned")


def _checksum(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _forget(path: Path) -> None:
    """Ask the kernel to drop its copy, so that the file is read back from the disk."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
