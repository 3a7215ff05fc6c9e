"""The parts of `bench_corpus.py` that run the project's own stages: what gates cost, and how all of it grows.

Each size, and each task runner, works in a process of its own (`corpus_stages.py`) on documents that this one has
written before (`corpus_documents.py`).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench_report import Row, paired
from corpus_documents import Documents
from corpus_parts import answer

HERE = Path(__file__).parent
STAGES = ("collect", "clean", "learn the vocabulary", "tokenize")
# Of Great Expectations: the import, which a process pays once, is apart.
IMPORT = "import Great Expectations"
GROUPS = {
    "collect": ("collect",),
    "clean": ("clean",),
    "tokenize": ("learn the vocabulary", "tokenize"),
    "gates": ("collect: profile", "collect: suite", "clean: profile", "clean: suite", "tokenize: suite"),
}
MAX_PEAK_MB = 2000
_MIN_RATE = 0.8


def gates(arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """The share of the gates in the stages' time, and our suites against the same rules over the texts."""
    with _documents(arguments, arguments.documents or 100_000) as directory:
        stages = _stages(directory, "serial")
        table = next((directory / "home" / "store" / "clean").glob("*/part-00000.parquet")).parent
        options = [str(table), "--rounds", str(arguments.rounds)]
        judged = answer([sys.executable, str(HERE / "corpus_gates.py"), *options])
    rows = []
    for clock, label in (("seconds", "wall"), ("cpu_seconds", "cpu")):
        work = _seconds(stages, STAGES, clock)
        suites, profiles = (
            _seconds(stages, [name for name in GROUPS["gates"] if name.endswith(kind)], clock) / work
            for kind in ("suite", "profile")
        )
        rows.append(Row("gates", f"suites_share_of_stages_{label}", (suites,), at_most=0.05))
        rows.append(Row("gates", f"profiles_share_of_stages_{label}", (profiles,), note="what drift is judged by"))
        turns = {name: [turn[clock] for turn in taken] for name, taken in judged["turns"].items()}
        note = f"{judged['num_rows']} documents"
        rows.append(Row("gates", f"summary_vs_texts_{label}", paired(turns["rows"], turns["summary"]), 2, note=note))
    same = [one["summary"] == one["rows"] for one in judged["verdicts"].values()]
    rows.append(Row("gates", "same_verdicts", (sum(same) / len(same),), 1, note=f"of {len(same)} tables with faults"))
    rows.append(Row("gates", "import_seconds_wall", (_seconds(stages, [IMPORT], "seconds"),), note="once a process"))
    return rows, {"stages": stages, "turns": judged["turns"], "verdicts": judged["verdicts"]}


def scale(arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """All stages and gates at each of the sizes."""
    found: dict[str, dict[str, Any]] = {}
    sizes = sorted(arguments.sizes)
    for size in sizes:
        with _documents(arguments, size) as directory:
            found[str(size)] = _stages(directory, "serial")
            if arguments.task_runner and size == sizes[-1]:
                shutil.rmtree(directory / "home")
                found[f"{size}, {arguments.task_runner}"] = _stages(directory, arguments.task_runner)
    peak = float(found[str(sizes[-1])]["peak_mb"])
    rows = [row for group in GROUPS for row in _growth(group, sizes, found)]
    rows.append(Row("scale", "peak_mb", (peak,), at_most=MAX_PEAK_MB, note=f"of the process, {sizes[-1]:,} documents"))
    if arguments.task_runner:
        both = [_seconds(found[key], GROUPS["clean"], "seconds") for key in list(found)[-2:]]
        rows.append(Row("scale", f"clean_with_{arguments.task_runner}_vs_serial", paired(both[:1], both[1:])))
    return rows, found


def _growth(group: str, sizes: list[int], found: Mapping[str, dict[str, Any]]) -> list[Row]:
    """Documents a second at the largest size, as a share of those at the smallest, and without the fixed cost."""
    wall, cpu = (
        [_seconds(found[str(size)], GROUPS[group], clock) for size in sizes] for clock in ("seconds", "cpu_seconds")
    )
    if len(sizes) < 2:
        return []
    rate = (sizes[-1] / wall[-1]) / (sizes[0] / wall[0])
    rows = [Row("scale", f"{group}_rate_largest_vs_smallest", (rate,), _MIN_RATE, note="wall time")]
    if len(sizes) > 2:
        steps = [
            (more - less) / (high - low)
            for (less, more), (low, high) in zip(pairwise(cpu), pairwise(sizes), strict=True)
        ]
        marginal = steps[0] / max(steps[-1], 1e-9)
        rows.append(Row("scale", f"{group}_marginal_rate_last_vs_first", (marginal,), _MIN_RATE, note="CPU time"))
    return rows


def scale_table(found: Mapping[str, dict[str, Any]]) -> str:
    """Every stage at every size, and what the store holds in the end."""
    lines = ["| documents | stage | seconds | CPU seconds | documents/s | peak MB |", "|---|---|---|---|---|---|"]
    for key, report in found.items():
        size = int(key.partition(",")[0])
        for one in report["stages"]:
            rate = "" if one["stage"] == IMPORT else f"{size / max(one['seconds'], 1e-3):,.0f}"
            cells = (_key(key), one["stage"], one["seconds"], one["cpu_seconds"], rate, one["peak_mb"])
            lines.append(f"| {' | '.join(map(str, cells))} |")
    for key, report in found.items():
        workers = f", largest worker {report['largest_worker_mb']} MB" if report["largest_worker_mb"] else ""
        lines.append(f"\n{_key(key)} documents: peak {report['peak_mb']} MB{workers}, store {report['store_mb']} MB; "
                     f"quarantined by cleaning: {report['counts']['clean']['reasons']}")  # fmt: skip
    return "\n".join(lines)


def _key(key: str) -> str:
    size, _, runner = key.partition(",")
    return f"{int(size):,}{f' ({runner.strip()})' if runner else ''}"


@contextmanager
def _documents(arguments: Namespace, number: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=arguments.work) as name:
        directory = Path(name)
        num_bytes = Documents().write(directory, number)
        print(f"{number:,} documents, {num_bytes / number:.0f} bytes each, are written", file=sys.stderr)
        yield directory


def _stages(directory: Path, task_runner: str) -> dict[str, Any]:
    return answer([sys.executable, str(HERE / "corpus_stages.py"), str(directory), "--task-runner", task_runner])


def _seconds(report: Mapping[str, Any], names: Iterable[str], clock: str) -> float:
    wanted = set(names)
    return float(sum(one[clock] for one in report["stages"] if one["stage"] in wanted))
