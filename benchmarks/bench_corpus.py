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
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_report
import corpus_parts
import corpus_scale
from bench_report import Row

PARTS: dict[str, Callable[[argparse.Namespace], tuple[list[Row], dict[str, Any]]]] = {
    "cleaning": corpus_parts.cleaning,
    "exact": corpus_parts.exact,
    "near": corpus_parts.near,
    "tokenize": corpus_parts.tokenize,
    "gates": corpus_scale.gates,
    "scale": corpus_scale.scale,
}
PEERS = ("datatrove", "spacy", "gaoya", "datasketch", "rensa", "datasets")
LIBRARIES = ("polars", "numpy", "pyarrow", "tokenizers", "tokie", "rensa", "xxhash", "great-expectations", "datasets")
TITLE = "From files to tokens: speed and memory against other libraries"


def main() -> None:
    arguments = parse()
    rows, details = bench_report.run_parts(arguments.only, PARTS, arguments)
    report = bench_report.document(rows, details, arguments, PEERS, LIBRARIES)
    body = bench_report.table(rows)
    if "scale" in details:
        body += "\n\n" + corpus_scale.scale_table(details["scale"])
    if arguments.write:
        print(f"written: {bench_report.write(report, body, 'corpus', TITLE)}", file=sys.stderr)
    print(json.dumps(report, indent=2) if arguments.json else body)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", type=bench_report.part_names(PARTS), default=tuple(PARTS), metavar="PART,PART", help=", ".join(PARTS)
    )
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


if __name__ == "__main__":
    main()
