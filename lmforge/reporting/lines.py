"""One line a stage, the same in the terminal, the Prefect UI and the logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NUM_REASONS = 4


def stage_line(record: Mapping[str, Any]) -> str:
    """`name  done/cached  seconds  counts` of a stage record."""
    state = "cached" if record["cached"] else "done"
    counts = record["counts"]
    words = count_words(counts) if counts["read"] else size_words(record["size_bytes"])
    return f"{record['name']:<18} {state:<6} {record['seconds']:>6.1f} s  {words}"


def count_words(counts: Mapping[str, Any]) -> str:
    """`34,169 records, 30,000 kept, ...` without the parts that are zero."""
    parts = [f"{counts['read']:,} {counts['unit']}"]
    parts += [f"{counts[name]:,} {name}" for name in ("kept", "repaired", "quarantined") if counts[name]]
    return ", ".join(parts)


def reason_words(reasons: Mapping[str, int]) -> str:
    """Reason codes with their counts, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    parts = [f"{count:,} {reason}" for reason, count in ordered[:NUM_REASONS]]
    rest = sum(count for _, count in ordered[NUM_REASONS:])
    return ", ".join(parts + ([f"{rest:,} for other reasons"] if rest else []))


def size_words(size_bytes: int) -> str:
    """Bytes in a unit that people read."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
