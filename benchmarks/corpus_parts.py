"""The parts of `bench_corpus.py` that compare with other libraries, as rows: what each script measures, joined.

Goals are of wall time where all systems use both cores, and of CPU time where one of them uses one core only, so that
ours gains nothing from the second.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bench_cleaning
import bench_near_duplicates
from bench_report import Row, paired

HERE = Path(__file__).parent
_OURS = {"tokie": "tokie", "rensa": "rensa"}
_PEERS = {"datatrove": "datatrove spacy", "datasketch_bulk": "datasketch"}
CLEANING_GOAL = {"datatrove": 4, "python_per_document": 4}
NEAR_GOALS = {"datatrove": 40, "datasketch_bulk": 6.5, "rensa": 2, "gaoya": 1.2, "datasketch": None}
TOKENIZING_GOALS = {"tokenizers": 5, "tokie": 50}
_SEEDS = ("datasketch_bulk", "datasketch_seed_2", "datasketch_seed_3")


def cleaning(arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Cleaning and quality filters: `bench_cleaning.py`."""
    systems = {"lmforge": sys.executable, "python_per_document": sys.executable}
    if has("datatrove", arguments.peer_python):
        systems["datatrove"] = arguments.peer_python
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        bench_cleaning.write_documents(work, arguments.documents or 100_000)
        results = {
            scenario: bench_cleaning.compare(scenario, systems, work, arguments.rounds)
            for scenario in bench_cleaning.SCENARIOS
        }
    rows = [row for scenario, result in results.items() for row in _cleaning_rows(scenario, result)]
    return rows, {scenario: {"runs": result["runs"], "kept": result["kept"]} for scenario, result in results.items()}


def _cleaning_rows(scenario: str, result: dict[str, Any]) -> list[Row]:
    rows = []
    for peer, goal in CLEANING_GOAL.items():
        name = f"cleaning_{scenario}_vs_{peer}"
        if peer not in result["runs"]:
            rows.append(missing("cleaning", f"{name}_wall", peer, goal))
            continue
        for clock, at_least in (("wall", goal), ("cpu", None)):
            seconds = {one: [run[f"{clock}_seconds"] for run in result["runs"][one]] for one in ("lmforge", peer)}
            rows.append(Row("cleaning", f"{name}_{clock}", paired(seconds[peer], seconds["lmforge"]), at_least))
        share = result["agreement"][peer]
        rows.append(Row("cleaning", f"{name}_same_output", (share,), 1, note="share of the kept documents, by bytes"))
    return rows


def exact(arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Exact duplicates: a part of `bench_near_duplicates.py`."""
    with tempfile.TemporaryDirectory() as directory:
        found = _systems(arguments, ("exact", "sha256_set"), Path(directory), large=("exact", "sha256_set"))
    rows = _ratios("exact", found, "exact", "sha256_set", bench_near_duplicates.GOALS["exact_vs_sha256_set"])
    return rows, found


def near(arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Near duplicates: the rest of `bench_near_duplicates.py`, with the growth from N to 4 N documents."""
    names = ("lmforge", "lmforge_4n", *NEAR_GOALS, *_SEEDS[1:])
    with tempfile.TemporaryDirectory() as directory:
        found = _systems(arguments, names, Path(directory), large=("lmforge_4n",))
    rows = [row for peer, goal in NEAR_GOALS.items() for row in _ratios("near", found, "lmforge", peer, goal)]
    ours, large = found["lmforge"], found["lmforge_4n"]
    flagged = [found[name][0]["flagged"] for name in _SEEDS if "skipped" not in found[name][0]]
    if flagged:
        share = ours[0]["flagged"] / (sum(flagged) / len(flagged))
        rows.append(Row("near", "flagged_vs_datasketch", (share,), 0.98, 1.02, f"mean of {len(flagged)} seeds"))
    grown = tuple((b["grown_bytes"] - a["grown_bytes"]) / (b["num_texts"] - a["num_texts"])
                  for a, b in zip(ours, large, strict=True))  # fmt: skip
    rows.append(Row("near", "growth_bytes_a_document", grown, at_most=1500, note="beyond the text, N to 4 N"))
    rates = paired([4 * one["cpu_seconds"] for one in ours], [one["cpu_seconds"] for one in large])
    rows.append(Row("near", "throughput_4n_vs_n", rates, bench_near_duplicates.GOALS["throughput_4n_vs_n"]))
    return rows, found


def _systems(
    arguments: Namespace, names: tuple[str, ...], work: Path, large: tuple[str, ...]
) -> dict[str, list[dict[str, Any]]]:
    """Answers of the systems by turns; a slow one, a seed and one that is missing has one turn."""
    files = bench_near_duplicates.prepare(work, arguments.documents or 20_000)
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in range(arguments.rounds):
        for name, answers in found.items():
            once = name in (*bench_near_duplicates.SLOW, *_SEEDS[1:])
            if turn and (once or "skipped" in answers[0]):
                continue
            system = name.removesuffix("_4n")
            answers.append(bench_near_duplicates.measure(system, files[name in large], arguments.peer_python))
            print(f"round {turn + 1}: {name}: {answers[-1]}", file=sys.stderr)
    return found


def _ratios(part: str, found: dict[str, list[dict[str, Any]]], own: str, peer: str, goal: float | None) -> list[Row]:
    name = f"{part}_vs_{peer}"
    if "skipped" in found[peer][0]:
        return [missing(part, f"{name}_cpu", peer, goal)]
    note = found[peer][0]["version"]
    clocks = {
        clock: [[row[f"{clock}_seconds"] for row in found[one]] for one in (peer, own)] for clock in ("cpu", "wall")
    }
    return [
        Row(part, f"{name}_cpu", paired(*clocks["cpu"]), goal, note=note),
        Row(part, f"{name}_wall", paired(*clocks["wall"])),
    ]


def tokenize(arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Text to blocks: `bench_tokenization.py`, which wants both engines."""
    if not find_spec("tokie"):
        return [
            missing("tokenize", f"tokenize_{kind}_{engine}_vs_datasets_map_wall", "tokie", goal)
            for kind in ("wordpiece", "bpe")
            for engine, goal in TOKENIZING_GOALS.items()
        ], {}
    options = ["--rounds", str(arguments.rounds), "--documents", str(arguments.documents or 40_000), "--json"]
    found = answer([sys.executable, str(HERE / "bench_tokenization.py"), *options])
    rows = []
    for kind, measured in found["kinds"].items():
        turns = measured["turns"]
        for engine, goal in TOKENIZING_GOALS.items():
            for clock, at_least in (("seconds", goal), ("cpu_seconds", None)):
                # The quick engine gets the documents several times, so rates are compared.
                rates = {
                    one: [turn["num_tokens"] / turn[clock] for turn in turns[one]] for one in (engine, "datasets_map")
                }
                name = f"tokenize_{kind}_{engine}_vs_datasets_map_{'wall' if clock == 'seconds' else 'cpu'}"
                rows.append(Row("tokenize", name, paired(rates[engine], rates["datasets_map"]), at_least))
        rows.append(Row("tokenize", f"tokenize_{kind}_same_ids", (float(measured["identical_ids"]),), 1))
    return rows, found


def missing(part: str, name: str, package: str, goal: float | None) -> Row:
    """The row of a measurement that a package is missing for; our own must be here, peers may be elsewhere."""
    if package in _OURS:
        return Row(part, name, at_least=goal, note=f"not installed: pip install {_OURS[package]}")
    named = _PEERS.get(package, package)
    return Row(
        part,
        name,
        at_least=goal,
        note=f"not installed: pip install {named}, or name its interpreter with --peer-python",
    )


@cache
def has(package: str, python: str) -> bool:
    """Whether an interpreter can import a package."""
    return subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False).returncode == 0


def answer(command: list[str]) -> dict[str, Any]:
    """The JSON that a script prints; ends this one with the script's own words where it fails."""
    done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {done.returncode}; see above")
    document: dict[str, Any] = json.loads(done.stdout)
    return document
