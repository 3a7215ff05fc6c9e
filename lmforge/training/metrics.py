"""The rows of metrics.jsonl: one JSON object a line with its `step`; a half-written last line does not count.

Kept free of torch, so that the process that starts the training program can read them at no cost.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a metrics file; none when there is no file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def append_metrics(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def drop_after(path: Path, step: int) -> None:
    """Drop the rows of later steps and a half-written line; a file without them is not touched.

    A program that goes on from a checkpoint measures them again.
    """
    kept = "".join(json.dumps(row) + "\n" for row in read_metrics(path) if row["step"] <= step)
    if path.is_file() and path.read_text(encoding="utf-8") != kept:
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(kept, encoding="utf-8")
        partial.replace(path)
