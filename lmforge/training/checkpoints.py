"""Checkpoints that are whole or invisible, and the newest of them that can be trusted.

Lightning writes through a temporary file that may lie on another file system and never fsyncs; this CheckpointIO
writes beside the target, fsyncs, and renames. The SHA-256 beside a checkpoint is checked before it is opened, and
opening allows tensors, numbers and strings only.
"""

from __future__ import annotations

import io
import logging
import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lmforge.hashing import hash_file

logger = logging.getLogger(__name__)

PATTERN = "step-{step:09d}.ckpt"
GLOB = "step-*.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves atomically with a checksum; loads with `weights_only=True`."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        _write(target, buffer.getbuffer())
        _write(_checksum(target), hash_file(target).encode())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        loaded: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return loaded


def newest(directory: Path) -> Path | None:
    """The newest checkpoint whose checksum is right, or None; a damaged one is named in the log and passed over."""
    for path in sorted(directory.glob(GLOB), reverse=True):
        beside = _checksum(path)
        if beside.is_file() and beside.read_text() == hash_file(path):
            return path
        logger.warning("%s is damaged or incomplete; trying the one before it", path)
    return None


def prune(directory: Path, keep: int) -> None:
    """Delete all but the newest `keep` checkpoints."""
    for path in sorted(directory.glob(GLOB))[:-keep]:
        _checksum(path).unlink(missing_ok=True)
        path.unlink()


def _checksum(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _write(target: Path, content: bytes | memoryview) -> None:
    temporary = target.with_name(f".{target.name}.partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
