"""One line a stage, the same in the terminal, the Prefect UI and the logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def stage_line(record: Mapping[str, Any]) -> str:
    """`name  done/reused  seconds  counts` of a stage record, at most 80 columns for ordinary names."""
    state = "reused" if record["cached"] else "done"
    counts = record["counts"]
    words = count_words(counts) if counts["read"] else size_words(record["size_bytes"])
    return f"{record['name']:<20} {state:<6} {record['seconds']:>6.1f} s  {words}"


def count_words(counts: Mapping[str, Any]) -> str:
    """`33,931 documents read, 30,000 kept, ...` without the parts that are zero."""
    parts = [f"{counts['read']:,} {counts['unit']}"]
    parts += [f"{counts[name]:,} {name}" for name in ("kept", "repaired", "quarantined") if counts[name]]
    return ", ".join(parts)


def size_words(size_bytes: int) -> str:
    """Bytes in a unit that people read."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
