"""From files to tokens: the data stages against other libraries, what their gates cost, and a million documents.

Every part measures ours and the peers in one run, by turns, on the same documents (the example data, or documents made
of its sentences) and the same cores, and sets the ratios beside their goals. A part can be left out; a peer that is
missing is a line that says what to install. The parts: cleaning, exact and near (duplicates), tokenize, gates (Great
Expectations), scale (10,000 to 1,000,000 documents through collect, clean and tokenize with their gates).

Usage: python benchmarks/bench_corpus.py [--only PART,PART] [--documents N] [--rounds N] [--peer-python PYTHON]
           [--sizes N N N] [--task-runner process:2] [--work DIRECTORY] [--json] [--write]
PYTHON is an interpreter with datatrove, spacy, gaoya and regex. Takes about half an hour on two cores, 3 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpus_parts
import corpus_report
import corpus_scale
from corpus_report import Row

PARTS: dict[str, Callable[[argparse.Namespace], tuple[list[Row], dict[str, Any]]]] = {
    "cleaning": corpus_parts.cleaning,
    "exact": corpus_parts.exact,
    "near": corpus_parts.near,
    "tokenize": corpus_parts.tokenize,
    "gates": corpus_scale.gates,
    "scale": corpus_scale.scale,
}
PEERS = ("datatrove", "spacy", "gaoya", "datasketch", "rensa", "datasets")
_VERSION = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"


def main() -> None:
    arguments = parse()
    rows: list[Row] = []
    details = {}
    for part in arguments.only:
        print(f"{part} ...", file=sys.stderr)
        found, details[part] = PARTS[part](arguments)
        rows += found
    report = {
        "ratios": {row.name: row.median for row in rows},
        "rows": [row.document() for row in rows],
        "goals": {row.name: row.goal for row in rows if row.goal},
        "peers": {peer: peer_version(peer, arguments.peer_python) for peer in PEERS},
        "versions": corpus_report.versions(),
        "hardware": corpus_report.hardware(),
        "commit": corpus_report.commit(),
        "command": command(arguments),
        "details": details,
    }
    body = corpus_report.table(rows)
    if "scale" in details:
        body += "\n\n" + corpus_scale.scale_table(details["scale"])
    if arguments.write:
        print(f"written: {corpus_report.write(report, body)}", file=sys.stderr)
    print(json.dumps(report, indent=2) if arguments.json else body)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", type=parts, default=tuple(PARTS), metavar="PART,PART", help=", ".join(PARTS))
    parser.add_argument("--documents", type=int, help="of every part but scale; default: as many as each part needs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter with datatrove, spacy and gaoya")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of scale")
    parser.add_argument("--task-runner", help="scale: run the largest size with this task runner as well")
    parser.add_argument(
        "--work", type=Path, help="where documents and stores are put; default: the temporary directory"
    )
    parser.add_argument("--write", action="store_true", help="also write a file of results/")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def parts(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split(","))
    if unknown := [one for one in chosen if one not in PARTS]:
        raise argparse.ArgumentTypeError(f"unknown part {unknown[0]!r}; the parts are {', '.join(PARTS)}")
    return chosen


def command(arguments: argparse.Namespace) -> str:
    """What was run, without the paths of this machine."""
    private = {arguments.peer_python: "PYTHON", str(arguments.work): "DIRECTORY"}
    return " ".join(["python", "benchmarks/bench_corpus.py", *(private.get(word, word) for word in sys.argv[1:])])


def peer_version(package: str, python: str) -> str | None:
    """Of this interpreter, else of the other; None where neither has it."""
    for program in (sys.executable, python):
        found = subprocess.run([program, "-c", _VERSION, package], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.strip()
    return None


if __name__ == "__main__":
    main()
