"""End the training program at every point where it makes something durable, in every way, and compare what it leaves.

A run records the points that it passes. For each point and each kind of fault a run of its own is ended there, started
again and compared with the undisturbed run: every row of the metrics and every byte of the model must be the same.
Then SIGTERM stops runs at the steps where something changes. `docs/reliability.md` holds the table of a whole grid.

Usage: python benchmarks/fault_grid.py [--objectives NAME,...] [--kinds KIND,...] [--names REGEX] [--every-visit]
       [--json] [--write PAGE]
       python benchmarks/fault_grid.py --read FILE --read FILE --write PAGE   (documents that --json printed)
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import fault_runs
from fault_runs import Case, Result, Run

ROOT = Path(__file__).resolve().parents[1]
LENGTH, CHECKPOINT_EVERY, NUM_STEPS = 32, 3, 10
LABELS = ("games", "net", "text")
ARCHITECTURES = {
    "masked_lm": "bert",
    "contrastive_masked_lm": "modernbert",
    "next_sentence": "bert",
    "sentence_order": "bert",
    "replaced_token_detection": "electra",
    "causal_lm": "gpt2",
    "span_corruption": "t5",
    "denoising": "bart",
    "sequence_classification": "bert",
}
# The settings that add state of their own: what is accumulated, averaged and counted.
OPTIONS = {"micro_batch_size": 4, "ema_decay": 0.9, "early_stopping_patience": 2}
WITH_OPTIONS = "+options"
# 96 documents in batches of 16 rows: an epoch of classification ends after step 6; 10 steps are validated at 4, 8, 10.
BATCH, EXAMPLES, WARMUP = 16, 96, 3
DEFAULT = (*ARCHITECTURES, f"masked_lm{WITH_OPTIONS}", f"sequence_classification{WITH_OPTIONS}")
BEGIN, END = "<!-- begin of the generated table -->", "<!-- end of the generated table -->"


class Row(NamedTuple):
    """A line of the table."""

    objective: str
    name: str
    kinds: tuple[str, ...]
    cases: int
    passed: int
    refused: int
    seconds: float
    lost: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the grid, print it, and return 1 when a case did not pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objectives", default=",".join(DEFAULT), help="default: all")
    parser.add_argument("--kinds", default=",".join((*fault_runs.ENDING, *fault_runs.DAMAGING)), help="default: all")
    parser.add_argument("--names", default="", help="a regular expression for points and cuts; default: all")
    parser.add_argument("--every-visit", action="store_true", help="each visit of a point, not one drawn for it")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    parser.add_argument("--read", type=Path, action="append", help="a document of --json, instead of a run")
    options = parser.parse_args(arguments)
    rows = [row for path in options.read for row in read(path)] if options.read else run(options)
    failed = sum(row.cases - row.passed for row in rows)
    if options.json:
        print(json.dumps({"rows": [row._asdict() for row in rows], "failed": failed}, indent=1))
    else:
        print(table(rows))
    if options.write:
        write(options.write, table(rows))
    return 1 if failed else 0


def run(options: argparse.Namespace) -> list[Row]:
    """Play the cases that the options ask for."""
    with tempfile.TemporaryDirectory(prefix="fault-grid-") as directory:
        prepare(Path(directory) / "data")
        return [
            row
            for objective in options.objectives.split(",")
            for row in summarized(objective, list(play_all(Path(directory), objective, options)))
        ]


def read(path: Path) -> list[Row]:
    """The rows of a document that `--json` printed."""
    return [Row(**row) for row in json.loads(path.read_bytes())["rows"]]


def prepare(directory: Path) -> None:
    """Write tokenizer, blocks and labelled examples of real package descriptions."""
    # Here and not above: every process of a run imports the top of this file.
    import polars as pl

    from lmforge.recipe.schema import Tokenizer
    from lmforge.tokenization.encoding import encode
    from lmforge.tokenization.packing import write_blocks, write_origin
    from lmforge.tokenization.tokenizer import train_tokenizer

    directory.mkdir()
    with gzip.open(ROOT / "examples" / "data" / "debian_descriptions.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["section"] in LABELS][::12]
    texts = [row["description"] for row in rows]
    tokenizer = train_tokenizer(texts, Tokenizer(vocab_size=600, lowercase=True), LENGTH, directory / "tokenizer")
    for split, part in (("train", slice(40, 40 + EXAMPLES)), ("validation", slice(0, 40))):
        write_blocks(directory / f"{split}.npy", [encode(tokenizer, texts[part])], LENGTH)
        labelled = [{"text": row["description"], "label": row["section"]} for row in rows[part]]
        pl.DataFrame(labelled).write_parquet(directory / f"{split}.parquet")
    write_origin(directory, directory / "tokenizer", LENGTH)


def spec_of(data: Path, objective: str, **settings: Any) -> dict[str, Any]:
    """A spec as JSON, without its directories."""
    common = {
        "max_steps": NUM_STEPS, "global_batch_size": BATCH, "max_seq_length": LENGTH, "warmup_steps": WARMUP,
        "learning_rate": 2e-3, "dropout": 0.1, "eval_every_n_steps": 4, "checkpoint_every_n_steps": CHECKPOINT_EVERY,
    } | settings  # fmt: skip
    fine = objective == "sequence_classification"
    return {
        "name": objective, "seed": 1, "architecture": ARCHITECTURES[objective], "size": "nano",
        "tokenizer": str(data / "tokenizer"), "data": str(data), "objective": objective,
        "settings": common | ({"scratch_baseline": False} if fine else {"objective": objective}),
        "labels": LABELS if fine else (), "num_threads": 1, "log_every_n_steps": 1,
    }  # fmt: skip


def play_all(directory: Path, name: str, options: argparse.Namespace) -> Iterator[Result]:
    """Results of the cases of one objective that the options ask for; says at once what did not pass."""
    objective = name.removesuffix(WITH_OPTIONS)
    spec = spec_of(directory / "data", objective, **({} if name == objective else OPTIONS))
    whole, cases = cases_of(directory / name, spec, every_visit=options.every_visit)
    kinds = options.kinds.split(",")
    chosen = [case for case in cases if case.kind in kinds and re.search(options.names, case.name)]
    for number, case in enumerate(chosen):
        run = Run(directory / name / f"case-{number}", spec)
        result = fault_runs.play(case, run, whole, CHECKPOINT_EVERY)
        if result.wrong:
            print(f"{name}: {case}: {'; '.join(result.wrong)}", file=sys.stderr, flush=True)
        yield result
        shutil.rmtree(run.directory)
    print(f"{name}: {len(chosen)} cases", file=sys.stderr, flush=True)


def cases_of(directory: Path, spec: dict[str, Any], *, every_visit: bool) -> tuple[fault_runs.Outcome, list[Case]]:
    """The undisturbed outcome and every case for it; raises RuntimeError when a run fails without a fault."""
    whole = Run(directory / "whole", spec)
    first = points(whole, directory / "points.txt")
    outcome = whole.outcome()
    # A process that goes on after a kill passes points that a whole run does not.
    again, killed = Run(directory / "again", spec), "train.metrics.appended:kill9:7"
    again.start(LMFORGE_FAULT=killed)
    second = {name: 1 for name in points(again, directory / "more.txt") if name not in first}
    cases = [
        *fault_runs.grid(first, every_visit=every_visit),
        *fault_runs.grid(second, before=(killed,)),
        *fault_runs.cuts(stops(outcome.rows)),
    ]
    return outcome, cases


def points(run: Run, record: Path) -> dict[str, int]:
    """The points that a process of the run passes to its end."""
    ended = run.start(LMFORGE_FAULT_RECORD=str(record))
    if ended.code:
        raise RuntimeError(f"{run.directory}: exit code {ended.code} without a fault: {run.printed()}")
    return fault_runs.points_of(record)


def stops(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[int, ...]]:
    """After which rows of the metrics a run is stopped, by what is special there."""
    trained = {row["step"]: number for number, row in enumerate(rows, 1) if "train/loss" in row}
    validated = {row["step"]: number for number, row in enumerate(rows, 1) if "val/loss" in row}
    return {
        "first step": (trained[1],),
        "middle of an epoch": (trained[5],),
        "last batch of an epoch": (trained[6],),
        "first batch of the next epoch": (trained[7],),
        "before a validation": (trained[4],),
        "after a validation": (validated[4],),
        "end of warm-up": (trained[WARMUP],),
        "last step": (trained[NUM_STEPS],),
        "three stops in one epoch": (trained[1], trained[2], trained[5]),
    }


def summarized(objective: str, results: Sequence[Result]) -> list[Row]:
    """A row for each point or cut."""
    names = dict.fromkeys(one.case.name for one in results)
    return [_row(objective, name, [one for one in results if one.case.name == name]) for name in names]


def _row(objective: str, name: str, results: Sequence[Result]) -> Row:
    kinds = tuple(dict.fromkeys(one.case.kind for one in results))
    passed, refused = sum(not one.wrong for one in results), sum(one.refused for one in results)
    slowest = max(one.seconds for one in results)
    return Row(objective, name, kinds, len(results), passed, refused, slowest, max(one.lost for one in results))


def table(rows: Sequence[Row]) -> str:
    """Markdown; the rows of a point are one over all objectives."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    lines = [
        f"Commit {commit.strip()}, Python {sys.version.split()[0]}, {os.cpu_count()} processors, objectives: "
        f"{', '.join(dict.fromkeys(row.objective for row in rows))}.",
        "",
        "| point or cut | kinds of fault | cases | passed | of these refused | worst recovery | steps done again |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row.name for row in rows):
        same = [row for row in rows if row.name == name]
        kinds = ", ".join(dict.fromkeys(kind for row in same for kind in row.kinds))
        counts = [sum(getattr(row, column) for row in same) for column in ("cases", "passed", "refused")]
        worst = f"{max(row.seconds for row in same):.1f} s | {max(row.lost for row in same)}"
        lines.append(f"| `{name}` | {kinds} | " + " | ".join(map(str, counts)) + f" | {worst} |")
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Replace what is between the two marks of the page."""
    marked = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.S)
    content = page.read_text(encoding="utf-8")
    page.write_text(marked.sub(lambda _: f"{BEGIN}\n{text}\n{END}", content), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
