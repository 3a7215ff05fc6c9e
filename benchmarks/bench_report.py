"""Rows of a comparison with goals and spreads, as a Markdown table, as JSON, and as a file of `results/`.

A row without a median is a measurement that something missing prevented; its note says what to install.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
_VERSION = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"


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


def run_parts(
    chosen: Iterable[str], parts: Mapping[str, Callable[[Any], tuple[list[Row], dict[str, Any]]]], arguments: Any
) -> tuple[list[Row], dict[str, Any]]:
    """The rows of the chosen parts and the details of each by its name."""
    rows: list[Row] = []
    details = {}
    for part in chosen:
        print(f"{part} ...", file=sys.stderr)
        found, details[part] = parts[part](arguments)
        rows += found
    return rows, details


def part_names(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """For `--only`: names with commas between them, each of which is known."""

    def chosen(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if unknown := [one for one in names if one not in known]:
            raise argparse.ArgumentTypeError(f"unknown part {unknown[0]!r}; the parts are {', '.join(known)}")
        return names

    return chosen


def document(
    rows: Sequence[Row], details: dict[str, Any], arguments: Any, peers: Iterable[str], libraries: Iterable[str]
) -> dict[str, Any]:
    """The report as JSON. arguments: `peer_python` and `work` are named there as PYTHON and DIRECTORY."""
    private = {arguments.peer_python: "PYTHON", str(arguments.work): "DIRECTORY"}
    words = [private.get(word, word) for word in sys.argv[1:]]
    return {
        "ratios": {row.name: row.median for row in rows},
        "rows": [row.document() for row in rows],
        "goals": {row.name: row.goal for row in rows if row.goal},
        "peers": {peer: peer_version(peer, arguments.peer_python) for peer in peers},
        "versions": versions(libraries),
        "hardware": hardware(),
        "commit": commit(),
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words]),
        "details": details,
    }


def peer_version(package: str, python: str) -> str | None:
    """Of this interpreter, else of the other; None where neither has it."""
    for program in (sys.executable, python):
        found = subprocess.run([program, "-c", _VERSION, package], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    return None


def versions(libraries: Iterable[str]) -> dict[str, str | None]:
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


def write(report: dict[str, Any], body: str, what: str, title: str) -> Path:
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
