"""Runs of the training program that end by a planted fault, and what they leave, judged from the files alone.

A case ends one process or several in one run directory, one after the other, and then starts one without faults. That
one must finish with the outcome of an undisturbed run or, where rows were damaged that nothing can make again, refuse
and name their file. Nothing of the project is imported here: what is judged must not judge itself. Each process is
forked from a server that has imported the program's libraries, so that a start takes a fraction of a second.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["lmforge.training.program", "torch._dynamo"])
# Every other column must be equal to the last bit.
WALL_TIMES = frozenset({"train/seconds", "train/tokens_per_second"})
TIMEOUT_SECONDS = 300.0
ENDING = {"kill9": -9, "sigterm": 143, "enospc": 1, "eio": 1, "exception": 1}
DAMAGING = ("truncate", "bitflip")
# Points that hand over a file, so that it can be damaged there.
_WITH_FILE = (".half_written", ".written", ".fsynced", ".renamed", ".appended", ".read_back")
# Where a damage is followed by the end of the process, so that the next one has to notice it.
_AFTERWARDS = {"train.checksum": "train.checkpoint.pruned", "train.checkpoint.read_back": "train.checkpoint.read_back"}


class Outcome(NamedTuple):
    """What a finished run left: rows of its metrics without wall times, and the SHA-256 of each file of its model."""

    rows: list[dict[str, Any]]
    model: dict[str, str]


class Ended(NamedTuple):
    """How one process ended; `caught_up` is when it was beyond the step that its directory showed before."""

    code: int | None
    seconds: float
    caught_up_seconds: float


class Run:
    """A run directory, and the processes that train in it one after the other."""

    def __init__(self, directory: Path, spec: dict[str, Any]) -> None:
        self.directory, self.errors = directory, directory / "errors.txt"
        directory.mkdir(parents=True)
        places = {"run_dir": str(directory / "run"), "model_dir": str(directory / "model")}
        self.spec_file = directory / "spec.json"
        self.spec_file.write_text(json.dumps(spec | places), encoding="utf-8")
        self.metrics = directory / "run" / "metrics.jsonl"

    def start(self, **environment: str) -> Ended:
        """Run one process to its end."""
        before, started, caught_up = self.last_step(), time.monotonic(), None
        process = CONTEXT.Process(target=_child, args=(str(self.spec_file), str(self.errors), environment))
        process.start()
        while process.is_alive() and time.monotonic() - started < TIMEOUT_SECONDS:
            process.join(0.005)
            if caught_up is None and self.last_step() > before:
                caught_up = time.monotonic() - started
        if process.is_alive():
            process.kill()
            process.join()
            raise TimeoutError(f"{self.directory}: still running after {TIMEOUT_SECONDS:g} s")
        seconds = time.monotonic() - started
        return Ended(process.exitcode, seconds, caught_up or seconds)

    def last_step(self) -> int:
        """Step of the last whole row; 0 without one."""
        if not self.metrics.is_file():
            return 0
        lines = [line for line in self.metrics.read_bytes().splitlines(keepends=True)[-2:] if line.endswith(b"\n")]
        try:
            return int(json.loads(lines[-1])["step"]) if lines else 0
        except ValueError:
            return 0

    def printed(self) -> str:
        """What all processes printed."""
        return self.errors.read_text(encoding="utf-8") if self.errors.is_file() else ""

    def outcome(self) -> Outcome:
        """What the finished run left."""
        rows = [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]
        kept = [{name: value for name, value in row.items() if name not in WALL_TIMES} for row in rows]
        files = sorted(path for path in (self.directory / "model").rglob("*") if path.is_file())
        return Outcome(kept, {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})


def differences(whole: Outcome, parts: Outcome) -> list[str]:
    """Where two outcomes differ; empty when every loss and every byte of the model is the same."""
    found = []
    if len(whole.rows) != len(parts.rows):
        found.append(f"{len(parts.rows)} rows of metrics instead of {len(whole.rows)}")
    for one, other in zip(whole.rows, parts.rows, strict=False):
        if one != other:
            found.append(f"row of step {one['step']}: {other} instead of {one}")
            break
    names = [name for name in whole.model | parts.model if whole.model.get(name) != parts.model.get(name)]
    return found + [f"{name} differs" for name in names]


def points_of(record: Path) -> dict[str, int]:
    """The points that a run passed, and how often."""
    names = record.read_text(encoding="utf-8").splitlines()
    return {name: names.count(name) for name in dict.fromkeys(names)}


class Case(NamedTuple):
    """`faults` are the values of LMFORGE_FAULT of one process after another; `name` and `kind` are for people."""

    name: str
    kind: str
    faults: tuple[str, ...]


class Result(NamedTuple):
    """wrong: what is not as promised. lost: steps done again. seconds: until the last process had caught up.

    refused: whether it refused to go on instead.
    """

    case: Case
    wrong: tuple[str, ...]
    lost: int
    seconds: float
    refused: bool = False


def grid(points: dict[str, int], *, every_visit: bool = False, before: tuple[str, ...] = ()) -> Iterator[Case]:
    """Every point with every kind of fault that fits it, at one visit drawn for each, or at all.

    before: faults of the processes before the one that passes these points.
    """
    rng = random.Random(0)
    for point, visits in points.items():
        for kind in (*ENDING, *(DAMAGING if point.endswith(_WITH_FILE) else ())):
            for visit in range(1, visits + 1) if every_visit else [rng.randint(1, visits)]:
                yield Case(point, kind, (*before, _fault(point, kind, visit)))


def cuts(stops: dict[str, Sequence[int]]) -> Iterator[Case]:
    """SIGTERM right after rows of the metrics, whose numbers in the undisturbed run are counted from 1."""
    for name, rows in stops.items():
        since = zip((0, *rows), rows, strict=False)
        yield Case(name, "sigterm", tuple(f"train.metrics.appended:sigterm:{row - last}" for last, row in since))


def play(case: Case, run: Run, whole: Outcome, checkpoint_every: int) -> Result:
    """End the run as the case says, finish it, and compare."""
    wrong: list[str] = []
    for fault in case.faults:
        ended = run.start(LMFORGE_FAULT=fault)
        if fault == case.faults[-1]:
            wrong += _wrongly_ended(case, ended.code)
    if case.kind in ENDING:
        wrong += _half_written(run)
    before, printed = run.last_step(), len(run.printed())
    last = run.start()
    message = run.printed()[printed:]
    if last.code and case.kind in DAMAGING and case.name.startswith("train.metrics") and str(run.metrics) in message:
        return Result(case, tuple(wrong), 0, last.seconds, refused=True)
    if last.code:
        return Result(case, (*wrong, f"exit code {last.code}: {message[-500:]}"), 0, last.seconds)
    resumed = re.findall(r"going on from step-(\d+)", message)
    lost = max(0, before - (int(resumed[-1]) if resumed else 0))
    # A damaged checkpoint costs the steps since the one before it.
    if lost > checkpoint_every * (2 if case.kind in DAMAGING else 1):
        wrong.append(f"{lost} steps were lost")
    return Result(case, (*wrong, *differences(whole, run.outcome())), lost, last.caught_up_seconds)


def _fault(point: str, kind: str, visit: int) -> str:
    fault = f"{point}:{kind}:{visit}"
    if kind in ENDING or _is_read_back(point):
        return fault
    later = next((end for start, end in _AFTERWARDS.items() if point.startswith(start)), point)
    return f"{fault},{later}:kill9:{visit}"


def _is_read_back(point: str) -> bool:
    """Whether damage done there is noticed by the process itself, which reads its checkpoint back."""
    return point.startswith("train.checkpoint.") and point not in _AFTERWARDS


def _wrongly_ended(case: Case, code: int | None) -> list[str]:
    expected = ENDING.get(case.kind, ENDING["eio"] if _is_read_back(case.name) else ENDING["kill9"])
    return [] if code == expected else [f"the fault ended it with exit code {code} instead of {expected}"]


def _half_written(run: Run) -> list[str]:
    """Checkpoints that are visible and not whole, and a result that is no JSON."""
    directory = run.directory / "run"
    wrong = [
        f"{path.name} is visible and not whole"
        for path in directory.glob("checkpoints/step-*.ckpt")
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.with_suffix(".sha256").read_text(encoding="ascii")
    ]
    for path in directory.glob("*.json"):
        json.loads(path.read_bytes())
    return wrong


def _child(spec_file: str, errors: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    from lmforge.training.__main__ import main

    log = Path(errors).open("a", encoding="utf-8")  # noqa: SIM115 - it is the standard error of this process
    os.dup2(log.fileno(), 2)
    sys.exit(main([spec_file]))
