"""From tokens to a model: our training program against Hugging Face Trainer and plain Lightning.

All systems train the same network from the same weights on the same texts, batch sizes and threads, by turns, each in a
process of its own. Ours is the training program as in production. The parts: a configuration of pre-training or
fine-tuning each (speed, share of the machine's matrix products, memory); parity (held-out loss and accuracy after equal
tokens); overhead (Lightning, start-up, Prefect and MLflow, the choice of precision and threads).

Usage: python benchmarks/bench_training.py [--only PART,PART] [--rounds N] [--steps N] [--threads N]
           [--compile on|off|auto] [--peer-python PYTHON] [--work DIRECTORY] [--json] [--write]
PYTHON is an interpreter with accelerate, and torch and transformers in our versions. Takes about 20 minutes on two
cores; other work on the machine spoils what it measures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bench_report
import training_overhead
import training_parity
import training_speed
from bench_report import Row
from training_configurations import CONFIGURATIONS

PARTS: dict[str, Callable[[argparse.Namespace], tuple[list[Row], dict[str, Any]]]] = {
    **{name: partial(training_speed.speed, name) for name in CONFIGURATIONS},
    "parity": training_parity.parity,
    "overhead": training_overhead.overhead,
}
LIBRARIES = ("torch", "transformers", "pytorch-lightning", "tokenizers", "numpy", "mlflow", "prefect")
PEERS = ("transformers", "accelerate", "datasets", "pytorch-lightning")
TITLE = "From tokens to a model: speed and parity against other training loops"


def main() -> None:
    arguments = parse()
    given = arguments.work
    with tempfile.TemporaryDirectory(dir=given) as directory:
        arguments.work = Path(directory)
        rows, details = bench_report.run_parts(arguments.only, PARTS, arguments)
    arguments.work = given
    report = bench_report.document(rows, details, arguments, PEERS, LIBRARIES)
    body = bench_report.table(rows)
    if timed := {name: details[name] for name in CONFIGURATIONS if name in details}:
        body += "\n\n" + training_speed.speed_table(timed)
    if arguments.write:
        print(f"written: {bench_report.write(report, body, 'training', TITLE)}", file=sys.stderr)
    print(json.dumps(report, indent=2) if arguments.json else body)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", type=bench_report.part_names(PARTS), default=tuple(PARTS), metavar="PART,PART", help=", ".join(PARTS)
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--steps", type=int, default=3, help="timed steps of a peer's turn; ours makes three times them"
    )
    parser.add_argument("--warm-up-steps", type=int, default=1, help="of a peer, before those")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--compile", choices=("on", "off", "auto"), default="auto", help="torch.compile in ours")
    parser.add_argument("--vocab-size", type=int, help="for a trial; default: that of each configuration")
    parser.add_argument("--parity-steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of fine-tuning in parity")
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter with accelerate")
    parser.add_argument("--work", type=Path, help="where data is put; default: the temporary directory")
    parser.add_argument("--write", action="store_true", help="also write a file and the figure into results/")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
