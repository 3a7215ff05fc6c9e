"""How fast are duplicates found? Near ones against datasketch, rensa, gaoya, datatrove; exact ones against SHA-256.

Every system gets the same normalised texts and the same settings (runs of 5 words, 9 bands of 13 permutations, which is
what 128 permutations at 0.8 come to), works in a process of its own, and its time counts from texts in memory to the
decision. Rounds are interleaved; ratios are of median CPU seconds, which other work on the machine disturbs least. Two
samplers never flag quite the same pairs around the threshold, one not with itself under another seed: the flags of
datasketch are therefore the mean over three seeds. datatrove and gaoya count differently (chains; verified pairs). The
goal for datatrove is for spaCy's words, which it uses; where spaCy is missing it gets the words between spaces.

Usage: python benchmarks/bench_near_duplicates.py [--texts N] [--rounds 3] [--peer-python PATH] [--json]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from near_duplicate_systems import PEERS, SYSTEMS

DATA = Path(__file__).parents[1] / "examples" / "data" / "debian_descriptions.jsonl.gz"
WORKER = Path(__file__).with_name("near_duplicate_systems.py")
GOALS = {
    "near_vs_datatrove": 40, "near_vs_datasketch_bulk": 6.5, "near_vs_rensa": 2, "near_vs_gaoya": 1.2,
    "exact_vs_sha256_set": 1.8, "throughput_4n_vs_n": 0.9,
}  # fmt: skip
# What takes minutes runs once; its noise is far below its distance.
SLOW = ("datasketch", "datatrove")


def measure(name: str, file: Path, python: str) -> dict[str, Any]:
    """A worker's answer; a peer that is missing here is asked of the other interpreter."""
    answer: dict[str, Any] = {}
    for program in (sys.executable, python):
        command = [program, str(WORKER), name, str(file)]
        answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        if "skipped" not in answer:
            break
    return answer


def main() -> None:
    arguments = parse()
    rows: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        files = prepare(Path(directory), arguments.texts)
        # Exact duplicates are found in milliseconds: four times as many texts are measured.
        large = {"exact", "sha256_set"}
        plan = [("lmforge_4n", "lmforge", files[1]), *((name, name, files[name in large]) for name in SYSTEMS)]
        for turn in range(arguments.rounds):
            for label, name, file in plan:
                once = name in SLOW or "seed" in name
                if turn and (once or "skipped" in rows[label][0]):
                    continue
                rows.setdefault(label, []).append(measure(name, file, arguments.peer_python))
                print(f"round {turn + 1}: {label}: {rows[label][-1]}", file=sys.stderr)
    report = summarize(rows)
    print(json.dumps(report, indent=2) if arguments.json else table(report))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--texts", type=int, default=20_000, help="first N descriptions; also measured with 4 N")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter that has datatrove and gaoya")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def prepare(directory: Path, num_texts: int) -> list[Path]:
    """The normalised texts, and four times as many: copies with every word marked, so that they differ."""
    import polars as pl

    from lmforge.text.normalizing import normalized_texts

    with gzip.open(DATA, "rt", encoding="utf-8") as lines:
        raw = [json.loads(line)["description"] for line in islice(lines, num_texts)]
    texts = normalized_texts(pl.Series(raw)).to_list()
    copies = [" ".join(f"{word}{mark}" for word in text.split(" ")) for mark in range(3) for text in texts]
    files = [directory / "texts.json", directory / "texts_4n.json"]
    for file, content in zip(files, (texts, texts + copies), strict=True):
        file.write_text(json.dumps(content))
    return files


def summarize(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    skipped = {name: of[0]["skipped"] for name, of in rows.items() if "skipped" in of[0]}
    systems = {name: summary(of) for name, of in rows.items() if name not in skipped}
    ours, large = systems["lmforge"], systems["lmforge_4n"]
    pairs = {
        f"near_vs_{name}": (name, "lmforge")
        for name in ("datatrove", "datasketch", "datasketch_bulk", "rensa", "gaoya")
    }
    pairs["exact_vs_sha256_set"] = ("sha256_set", "exact")
    ratios = {
        label: round(systems[peer]["cpu_seconds"] / systems[own]["cpu_seconds"], 2)
        for label, (peer, own) in pairs.items() if peer in systems
    }  # fmt: skip
    ratios["throughput_4n_vs_n"] = round(4 * ours["cpu_seconds"] / large["cpu_seconds"], 2)
    seeds = [of["flagged"] for name, of in systems.items() if name.startswith("datasketch_")]
    if seeds:
        ratios["flagged_vs_datasketch"] = round(ours["flagged"] / statistics.mean(seeds), 4)
    grown = (large["grown_bytes"] - ours["grown_bytes"]) / (large["num_texts"] - ours["num_texts"])
    libraries = {name: version(name) for name in ("numpy", "polars", "rensa", "xxhash")}
    return {
        "ratios": ratios,
        "goals": GOALS,
        "grown_bytes_a_document": round(grown),
        "flagged_by_datasketch_seeds": seeds,
        "peers": systems,
        "skipped": skipped,
        "versions": libraries | {PEERS[name]: of["version"] for name, of in systems.items() if name in PEERS},
        "hardware": {"machine": platform.machine(), "num_cpus": len(os.sched_getaffinity(0))},
    }


def summary(of: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = [row["cpu_seconds"] for row in of]
    median = statistics.median(seconds)
    return of[0] | {
        "cpu_seconds": round(median, 3),
        "cpu_seconds_spread": [round(min(seconds), 3), round(max(seconds), 3)],
        "wall_seconds": round(statistics.median(row["wall_seconds"] for row in of), 3),
        "grown_bytes": max(row["grown_bytes"] for row in of),
        "texts_a_cpu_second": round(of[0]["num_texts"] / median),
        "rounds": len(of),
    }


def goal(name: str) -> str:
    if name == "flagged_vs_datasketch":
        return "(goal: 0.98 to 1.02)"
    return f"(goal: at least {GOALS[name]})" if name in GOALS else ""


def table(report: dict[str, Any]) -> str:
    lines = [
        "| system | texts | CPU s (least to most) | wall s | texts a CPU second | flagged |",
        "|---|---|---|---|---|---|",
    ]
    for name, of in report["peers"].items():
        least, most = of["cpu_seconds_spread"]
        seconds = f"{of['cpu_seconds']} ({least} to {most})"
        cells = (name, of["num_texts"], seconds, of["wall_seconds"], of["texts_a_cpu_second"], of["flagged"])
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += [f"{name}: skipped, {why}; give --peer-python" for name, why in report["skipped"].items()]
    lines.append(f"growth: {report['grown_bytes_a_document']} bytes a document beyond the text (goal: at most 1500)")
    lines += [f"{name}: {ratio} {goal(name)}" for name, ratio in report["ratios"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
