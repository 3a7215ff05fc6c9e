"""Write a file so that it is whole or as it was before, whatever ends the process.

The content goes to a file beside the target, is flushed to the disk and renamed into place; then the directory is
flushed, because a rename that is not on the disk may be undone by a power cut.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from lmforge.errors import TrainingError
from lmforge.faults import point
from lmforge.wording import shown

PARTIAL = ".partial"


def write_file(target: Path, content: bytes | memoryview, name: str) -> None:
    """Replace `target` by `content`; `name` is that of its fault points.

    Raises TrainingError when the disk is full, with the bytes needed and free, and OSError for other failures; the
    target is then as it was.
    """
    partial = target.with_name(f".{target.name}{PARTIAL}")
    try:
        _write(partial, content, name)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        if error.errno != errno.ENOSPC:
            raise
        free = shutil.disk_usage(target.parent).free
        raise TrainingError(
            f"{shown(str(target), 200)}: the disk is full: {len(content):,} bytes needed, {free:,} free; make room, "
            "then start the same command again"
        ) from error
    point(f"{name}.renamed", target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Wait until a file or the entries of a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(partial: Path, content: bytes | memoryview, name: str) -> None:
    half = len(content) // 2
    with partial.open("wb") as file:
        point(f"{name}.opened")
        file.write(content[:half])
        file.flush()
        point(f"{name}.half_written", partial)
        file.write(content[half:])
        file.flush()
        point(f"{name}.written", partial)
        os.fsync(file.fileno())
    point(f"{name}.fsynced", partial)
