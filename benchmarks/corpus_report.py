"""Rows of a comparison with goals and spreads, as a Markdown table, as JSON, and as a file of `results/`.

A row without a median is a measurement that something missing prevented; its note says what to install.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("polars", "numpy", "pyarrow", "tokenizers", "tokie", "rensa", "xxhash", "great-expectations", "datasets")
TITLE = "From files to tokens: speed and memory against other libraries"


@dataclass(frozen=True)
class Row:
    """One number with its goal. values: of the rounds, empty where it could not be measured.

    at_least, at_most: the goal; a row with neither is only shown.
    """

    part: str
    name: str
    values: tuple[float, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def median(self) -> float | None:
        return statistics.median(self.values) if self.values else None

    @property
    def goal(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} to {self.at_most:g}"
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"

    @property
    def reached(self) -> bool | None:
        """None where there is no goal or no number."""
        if self.median is None or not self.goal:
            return None
        low = self.at_least is None or self.median >= self.at_least
        return low and (self.at_most is None or self.median <= self.at_most)

    def document(self) -> dict[str, Any]:
        spread = [min(self.values), max(self.values)] if self.values else None
        return {
            "part": self.part, "name": self.name, "median": self.median, "spread": spread, "goal": self.goal,
            "reached": self.reached, "note": self.note,
        }  # fmt: skip


def paired(theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, ...]:
    """Ratios of turns that followed each other; what was measured once is compared with every turn of the other."""
    number = max(len(theirs), len(ours))
    return tuple(theirs[min(at, len(theirs) - 1)] / ours[min(at, len(ours) - 1)] for at in range(number))


def table(rows: Iterable[Row]) -> str:
    words = {True: "yes", False: "NO", None: ""}
    lines = ["| part | measure | median | least to most | goal | reached | |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        spread = f"{_short(min(row.values))} to {_short(max(row.values))}" if len(row.values) > 1 else ""
        median = "-" if row.median is None else _short(row.median)
        cells = (row.part, row.name, median, spread, row.goal, words[row.reached], row.note)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def versions(libraries: Iterable[str] = LIBRARIES) -> dict[str, str | None]:
    """Of Python and of the libraries that decide the speed; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def hardware() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "num_cpus": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", path.read_text(encoding="utf-8"), re.M) if path.is_file() else None
    return named.group(1).strip() if named else platform.processor() or platform.machine()


def commit() -> str:
    """Of the work tree, and whether it differs from it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def write(report: dict[str, Any], body: str, what: str = "corpus", title: str = TITLE) -> Path:
    """Write `results/<what>_<hardware>_<yyyymm>.md`; return its path."""
    machine, used = report["hardware"], report["versions"]
    word = re.search(r"xeon|epyc|ryzen|core|graviton|apple", machine["processor"].lower())
    name = f"{word.group() if word else machine['machine']}{machine['num_cpus']}"
    installed = ", ".join(f"{library} {number}" for library, number in used.items() if number)
    peers = ", ".join(f"{peer} {number}" for peer, number in report["peers"].items() if number)
    lines = [
        f"# {title}",
        "",
        f"Command: `{report['command']}`, commit `{report['commit']}`.",
        f"Versions: {installed}. Peers: {peers or 'none'}.",
        f"Hardware: {machine['processor']}, {machine['num_cpus']} virtual cores, {machine['memory_gb']} GB, "
        f"{machine['machine']}.",
        "",
        body,
    ]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{what}_{name}_{date.today():%Y%m}.md"
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path
