"""What is paid for around the steps: Lightning and callbacks, start-up, Prefect and MLflow, and a wrong precision.

Each comparison is by turns, as many as `--rounds`.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from bench_report import Row, paired
from training_configurations import CONFIGURATIONS, Configuration
from training_speed import Place, cost, our_spec
from training_turns import call, our_turn

from lmforge.training.metrics import read_metrics
from lmforge.training.spec import TrainingSpec

MAX_LIGHTNING, MAX_START_SECONDS, MAX_STAGE_SECONDS, MAX_STAGE_STEP, LEAST_OF_BEST = 1.03, 8, 3, 1.02, 0.95
TIMED = CONFIGURATIONS["mlm_4x256"]
SMALL = Configuration("small_steps", "masked_lm", "bert", "wordpiece", 64, 16, "nano")
NUM_SMALL_STEPS = 200
PRECISIONS = ("32-true", "bf16-mixed")
_POLL_SECONDS = 0.01


def overhead(arguments: Namespace) -> tuple[list[Row], dict[str, Any]]:
    """All four; `details` has the turns."""
    rows: list[Row] = []
    details: dict[str, Any] = {}
    for part in (lightning, start_up, stage, chosen_settings):
        with tempfile.TemporaryDirectory(dir=arguments.work) as directory:
            print(f"  overhead: {part.__name__}", file=sys.stderr)
            found, details[part.__name__] = part(arguments, Path(directory))
            rows += found
    return rows, details


def lightning(arguments: Namespace, work: Path) -> tuple[list[Row], Any]:
    """The program against the same steps in a loop by hand."""
    place = Place(TIMED, work, arguments)
    turns: dict[str, list[dict[str, Any]]] = {"program": [], "by_hand": []}
    for _ in range(arguments.rounds):
        turns["program"].append(our_turn(our_spec(TIMED, place)))
        turns["by_hand"].append(our_turn(our_spec(TIMED, place), "--by-hand"))
    rows = []
    for clock, at_most in (("wall", MAX_LIGHTNING), ("cpu", None)):
        program, hand = ([cost(turn, clock) for turn in turns[name]] for name in ("program", "by_hand"))
        rows.append(Row("overhead", f"program_to_loop_by_hand_{clock}", paired(program, hand), at_most=at_most))
    return rows, turns


def start_up(arguments: Namespace, work: Path) -> tuple[list[Row], Any]:
    """Seconds from starting the program to its first step done, of a network that is small enough not to count."""
    place = Place(SMALL, work, arguments)
    seconds = [_first_step(our_spec(SMALL, place, max_steps=2)) for _ in range(arguments.rounds)]
    return [Row("overhead", "start_to_first_step_seconds", tuple(seconds), at_most=MAX_START_SECONDS)], seconds


def _first_step(spec: TrainingSpec) -> float:
    spec = spec.model_copy(update={"log_every_n_steps": 1})
    started = time.monotonic()
    with subprocess.Popen(_program(spec)) as process:
        while not read_metrics(spec.metrics_file):
            if process.poll() is not None:
                raise SystemExit(f"the training program ended with {process.returncode} before its first step")
            time.sleep(_POLL_SECONDS)
        seconds = time.monotonic() - started
    return seconds


def _program(spec: TrainingSpec) -> list[str]:
    spec.run_dir.mkdir(parents=True)
    path = spec.run_dir / "alone.json"
    path.write_text(spec.model_dump_json(), encoding="utf-8")
    return [sys.executable, "-m", "lmforge.training", str(path)]


def stage(arguments: Namespace, work: Path) -> tuple[list[Row], Any]:
    """The program as a stage under Prefect and MLflow, against the program alone: in all, and a step."""
    place = Place(SMALL, work, arguments)
    turns: dict[str, list[tuple[float, float]]] = {"alone": [], "stage": []}
    for turn in range(arguments.rounds):
        # A machine that has rested is faster for a while, so each is first in its turn.
        for name in sorted(turns, reverse=bool(turn % 2)):
            turns[name].append(_alone(_small(place)) if name == "alone" else _staged(_small(place)))
    alone, staged = turns["alone"], turns["stage"]
    extra = tuple(ours[0] - theirs[0] for ours, theirs in zip(staged, alone, strict=True))
    steps = paired([one[1] for one in staged], [one[1] for one in alone])
    rows = [
        Row("overhead", "stage_extra_seconds", extra, at_most=MAX_STAGE_SECONDS, note="Prefect and MLflow"),
        Row("overhead", "stage_to_program_step_wall", steps, at_most=MAX_STAGE_STEP),
    ]
    return rows, turns


def _alone(spec: TrainingSpec) -> tuple[float, float]:
    started = time.monotonic()
    subprocess.run(_program(spec), check=True)
    return time.monotonic() - started, _seconds_of_steps(spec)


def _staged(spec: TrainingSpec) -> tuple[float, float]:
    spec.run_dir.mkdir(parents=True)
    path = spec.run_dir / "stage.json"
    path.write_text(spec.model_dump_json(), encoding="utf-8")
    return call([sys.executable, "training_stage.py", path])["seconds"], _seconds_of_steps(spec)


def _small(place: Place) -> TrainingSpec:
    spec = our_spec(SMALL, place, max_steps=NUM_SMALL_STEPS)
    out = spec.run_dir.with_name(f"{spec.run_dir.name}-out")
    return spec.model_copy(update={"log_every_n_steps": 10, "model_dir": out / "model"})


def _seconds_of_steps(spec: TrainingSpec) -> float:
    """Seconds of all steps but the first ten, as the program measured them."""
    seconds = [row["train/seconds"] for row in read_metrics(spec.metrics_file) if "train/seconds" in row]
    return float(seconds[-1] - seconds[0])


def _long(place: Place) -> dict[str, Any]:
    """Only a run that is to be long is probed; a budget of tokens ends it when it has been timed."""
    steps = our_spec(TIMED, place).settings.max_steps
    return {"max_steps": 1_000, "max_tokens": steps * TIMED.batch_size * TIMED.max_seq_length}


def chosen_settings(arguments: Namespace, work: Path) -> tuple[list[Row], Any]:
    """The speed of what the program chooses itself, as a share of the best of all precisions and numbers of threads."""
    place = Place(TIMED, work, arguments)
    settings: dict[str, dict[str, Any]] = {
        f"{precision}, {threads} threads": {"precision": precision, "num_threads": threads, "compile": "off"}
        for precision, threads in itertools.product(PRECISIONS, sorted({1, arguments.threads}))
    }
    settings["chosen"] = {"precision": "auto", "num_threads": None, "compile": "off"}
    rates: dict[str, list[float]] = {name: [] for name in settings}
    for _ in range(arguments.rounds):
        for name, changes in settings.items():
            spec = our_spec(TIMED, place, **changes, **_long(place))
            threads = changes["num_threads"] or arguments.threads
            turn = our_turn(spec.model_copy(update={"num_threads": threads}))
            rates[name].append(1 / cost(turn, "wall"))
    fixed = [values for name, values in rates.items() if name != "chosen"]
    shares = tuple(chosen / max(round_) for chosen, *round_ in zip(rates["chosen"], *fixed, strict=True))
    note = "of " + ", ".join(name for name in settings if name != "chosen")
    return [Row("overhead", "chosen_to_best_settings", shares, LEAST_OF_BEST, note=note)], rates
