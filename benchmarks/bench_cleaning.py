"""How fast are the quality filters? lmforge's columnar ones against one document at a time, and against datatrove.

Each system reads the same JSON Lines file, tidies white space, asks the same published filters with the same
thresholds, and writes the documents that it keeps. The systems take turns, each in a process of its own; reading and
writing count, importing does not, except that datatrove starts its two workers itself. Per-document systems run the
plain-Python reference of the tests, datatrove in a formatter and a filter of its own kind. Ours repairs text beside.
The documents are the example data, repeated with another word in each paragraph.

Usage: python benchmarks/bench_cleaning.py [--documents N] [--rounds N] [--peer-python PYTHON] [--json]
PYTHON is an interpreter that has datatrove; without one, datatrove is left out.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

EXAMPLES = ROOT / "examples" / "data" / "debian_descriptions.jsonl.gz"
SCENARIOS = {
    "rules": ("gopher", "fineweb", "c4"),
    "rules_and_repetition": ("gopher", "gopher_repetition", "fineweb", "c4"),
}


def main() -> None:
    arguments = parse()
    if arguments.run:
        system, scenario = arguments.run
        print(json.dumps(timed(system, scenario, arguments.work)))
        return
    systems = {"lmforge": sys.executable, "python_per_document": sys.executable}
    if arguments.peer_python:
        systems["datatrove"] = arguments.peer_python
    else:
        print("datatrove left out: give an interpreter that has it with --peer-python", file=sys.stderr)
    with tempfile.TemporaryDirectory() as work:
        num_bytes = write_documents(Path(work), arguments.documents)
        results = {name: compare(name, systems, Path(work), arguments.rounds) for name in SCENARIOS}
    report = summarize(results, arguments, num_bytes)
    print(json.dumps(report, indent=2) if arguments.json else table(report))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--run", nargs=2, metavar=("SYSTEM", "SCENARIO"), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_documents(work: Path, number: int) -> int:
    """Two files of documents, halves of one stream, and the thresholds; returns the bytes of text."""
    from lmforge.recipe.quality import Quality

    (work / "in").mkdir()
    (work / "quality.json").write_text(Quality().model_dump_json())
    num_bytes = 0
    halves = [(work / "in" / f"{half}.jsonl").open("w", encoding="utf-8") for half in range(2)]
    for position, text in enumerate(varied(number)):
        num_bytes += len(text.encode())
        halves[position * 2 // number].write(json.dumps({"id": str(position), "text": text}) + "\n")
    for file in halves:
        file.close()
    return num_bytes


def varied(number: int) -> Iterator[str]:
    """Documents that tidying alone repairs, so that systems without a repair of text can agree on them."""
    from lmforge.text.repairing import repair

    with gzip.open(EXAMPLES, "rt", encoding="utf-8") as file:
        found = [json.loads(line)["description"] for line in file]
    texts = [text for text in found if repair(text) == tidy(text)]
    for position in range(number):
        times, index = divmod(position, len(texts))
        yield texts[index].replace("\n\n", f" revision{times}\n\n") if times else texts[index]


def tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def compare(scenario: str, systems: dict[str, str], work: Path, rounds: int) -> dict[str, Any]:
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
    for number in range(rounds):
        for name, python in systems.items():
            print(f"{scenario}, round {number + 1}: {name} ...", file=sys.stderr)
            command = [python, __file__, "--run", name, scenario, "--work", str(work)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stderr}")
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
    kept = {name: outputs(work / f"{scenario}-{name}") for name in systems}
    return {"runs": runs, "kept": len(kept["lmforge"]), "agreement": agreement(kept)}


def agreement(kept: dict[str, dict[str, str]]) -> dict[str, float]:
    """By peer: the share of the documents that either keeps, which both keep with the same bytes."""
    ours = kept["lmforge"]
    shares = {}
    for name, theirs in kept.items():
        same = sum(theirs.get(document) == digest for document, digest in ours.items())
        shares[name] = round(same / max(1, len(ours | theirs)), 6)
    return shares


def outputs(directory: Path) -> dict[str, str]:
    """Document to hash of the text that was kept."""
    found = {}
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.open(encoding="utf-8"):
            row = json.loads(line)
            found[row["id"]] = hashlib.sha256(row["text"].encode()).hexdigest()
    return found


def timed(system: str, scenario: str, work: Path) -> dict[str, float]:
    """Run one system; wall and CPU seconds, its children's included."""
    quality = json.loads((work / "quality.json").read_text()) | {"filters": SCENARIOS[scenario]}
    out = work / f"{scenario}-{system}"
    out.mkdir(exist_ok=True)
    run = {"lmforge": run_lmforge, "python_per_document": run_python, "datatrove": run_datatrove}[system]
    return run(sorted((work / "in").glob("*.jsonl")), out, quality)


def run_lmforge(paths: list[Path], out: Path, quality: dict[str, Any]) -> dict[str, float]:
    import polars as pl

    from lmforge.recipe.quality import Quality
    from lmforge.text.quality import apply_quality
    from lmforge.text.repairing import repair_texts

    settings, start = Quality.model_validate(quality), clocks()

    def clean(path: Path) -> None:
        frame = pl.read_ndjson(path)
        texts, reasons = apply_quality(repair_texts(frame["text"]), settings)
        frame.with_columns(texts.alias("text")).filter(reasons.is_null()).write_ndjson(out / path.name)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(clean, paths))
    return elapsed(start)


def run_python(paths: list[Path], out: Path, quality: dict[str, Any]) -> dict[str, float]:
    clean, start = per_document(quality), clocks()
    for path in paths:
        with path.open(encoding="utf-8") as rows, (out / path.name).open("w", encoding="utf-8") as kept:
            for line in rows:
                row = json.loads(line)
                reason, text = clean(tidy(row["text"]))
                if reason is None:
                    kept.write(json.dumps({"id": row["id"], "text": text}) + "\n")
    return elapsed(start)


def run_datatrove(paths: list[Path], out: Path, quality: dict[str, Any]) -> dict[str, float]:
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.filters.base_filter import BaseFilter
    from datatrove.pipeline.formatters.base import BaseFormatter
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    class Tidy(BaseFormatter):
        def format(self, text: str) -> str:
            return tidy(text)

    clean = per_document(quality)

    class Rules(BaseFilter):
        name = "rules"

        def filter(self, doc: Document) -> bool | tuple[bool, str]:
            reason, doc.text = clean(doc.text)
            return True if reason is None else (False, reason)

    writer = JsonlWriter(str(out), output_filename="${rank}.jsonl", compression=None)
    pipeline = [JsonlReader(str(paths[0].parent)), Tidy(), Rules(), writer]
    start = clocks()
    # Forked workers start fastest, and their CPU seconds come back to this process.
    LocalPipelineExecutor(
        pipeline, tasks=2, workers=2, logging_dir=str(out / "logs"), skip_completed=False, start_method="fork"
    ).run()
    return elapsed(start)


def per_document(quality: dict[str, Any]) -> Any:
    from tests.lmforge.text.quality_reference import decide

    return lambda text: decide(text, quality)


def clocks() -> tuple[float, float]:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.monotonic(), sum(one.ru_utime + one.ru_stime for one in used)


def elapsed(start: tuple[float, float]) -> dict[str, float]:
    wall, cpu = (after - before for after, before in zip(clocks(), start, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall_seconds": round(wall, 3), "cpu_seconds": round(cpu, 3), "peak_mb": round(peak)}


def summarize(results: dict[str, Any], arguments: argparse.Namespace, num_bytes: int) -> dict[str, Any]:
    from importlib.metadata import version

    ratios, rates = {}, {}
    for scenario, result in results.items():
        for clock in ("wall", "cpu"):
            taken = {name: [run[f"{clock}_seconds"] for run in runs] for name, runs in result["runs"].items()}
            for name, seconds in taken.items():
                rates[f"{scenario}/{name}/{clock}"] = round(arguments.documents / statistics.median(seconds))
                if name != "lmforge":
                    # Of turns that followed each other, so that other work on the machine weighs on both.
                    pairs = [theirs / ours for theirs, ours in zip(seconds, taken["lmforge"], strict=True)]
                    ratios[f"{scenario}/{name}/{clock}"] = round(statistics.median(pairs), 2)
    return {
        "documents": arguments.documents,
        "text_mb": round(num_bytes / 1e6, 1),
        "ratios": ratios,
        "peers": sorted({name for result in results.values() for name in result["runs"]} - {"lmforge"}),
        "documents_per_second": rates,
        "agreement": {scenario: result["agreement"] for scenario, result in results.items()},
        "kept": {scenario: result["kept"] for scenario, result in results.items()},
        "runs": {scenario: result["runs"] for scenario, result in results.items()},
        "versions": {"python": platform.python_version(), "polars": version("polars"), "numpy": version("numpy")},
        "hardware": {"machine": platform.machine(), "num_cpus": len(os.sched_getaffinity(0))},
    }


def table(report: dict[str, Any]) -> str:
    lines = [f"{report['documents']} documents, {report['text_mb']} MB", ""]
    lines += [
        "| filters | system | documents/s | x wall | x CPU | wall seconds | same output |",
        "|---|---|---|---|---|---|---|",
    ]
    for scenario, runs in report["runs"].items():
        for name, rounds in runs.items():
            ratios = [report["ratios"].get(f"{scenario}/{name}/{clock}", 1) for clock in ("wall", "cpu")]
            seconds = sorted(run["wall_seconds"] for run in rounds)
            lines.append(
                f"| {scenario} | {name} | {report['documents_per_second'][f'{scenario}/{name}/wall']} | {ratios[0]} "
                f"| {ratios[1]} | {seconds[0]} to {seconds[-1]} | {report['agreement'][scenario][name]:.4%} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
