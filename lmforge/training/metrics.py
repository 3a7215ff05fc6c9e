"""The rows of metrics.jsonl: one JSON object a line with its `step`; a half-written last line does not count.

Kept free of torch, so that the process that starts the training program can read them at no cost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmforge.errors import IntegrityError
from lmforge.faults import point
from lmforge.training.durable import flush, write_file
from lmforge.wording import shown

_BEGIN_AGAIN = "remove its directory to train from the beginning"


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a metrics file; none when there is no file. Raises IntegrityError for a line that is no row."""
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if (row := _parse(line)) is not None:
            rows.append(row)
        elif line.endswith(b"\n"):
            raise IntegrityError(f"{shown(str(path), 200)}:{number}: damaged: no row of metrics; {_BEGIN_AGAIN}")
    return rows


def append_metrics(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row."""
    line = json.dumps(row) + "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(line[: len(line) // 2])
        file.flush()
        point("train.metrics.half_written", path)
        file.write(line[len(line) // 2 :])
    point("train.metrics.appended", path)


def drop_after(path: Path, step: int) -> None:
    """Drop the rows of later steps and what is no row; a file without them is not touched.

    A program that goes on from a checkpoint measures them again. `check_seal` tells whether too much was dropped.
    """
    if not path.is_file():
        return
    content = path.read_bytes()
    rows = [row for line in content.splitlines(keepends=True) if (row := _parse(line)) and row["step"] <= step]
    kept = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if content != kept:
        write_file(path, kept, "train.metrics_dropped")


def seal(path: Path) -> dict[str, Any]:
    """Put the file on the disk and return what `check_seal` needs to know it again.

    A checkpoint carries it: rows that it has behind it are not measured again, so they must not be lost.
    """
    if not path.is_file():
        return {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    flush(path)
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def check_seal(path: Path, sealed: Mapping[str, Any]) -> None:
    """Raise IntegrityError unless the file begins with what was sealed."""
    content = path.read_bytes()[: sealed["bytes"]] if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != sealed["sha256"]:
        raise IntegrityError(
            f"{shown(str(path), 200)}: not the rows that were there when the checkpoint was written; "
            f"put the file back, or {_BEGIN_AGAIN}"
        )


def _parse(line: bytes) -> dict[str, Any] | None:
    """A row, or None for a line that is half-written or damaged."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None
