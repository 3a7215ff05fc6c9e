"""Training programs as real processes that are stopped by real signals.

They are forked from a server that has the imports behind it, so that a start takes milliseconds and not seconds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lmforge.training.launching import RENDEZVOUS
from lmforge.training.spec import TrainingSpec

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["lmforge.training.program", "torch._dynamo"])
WALL_TIMES = ("train/seconds", "train/tokens_per_second")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-golden", action="store_true", help="write golden_losses.json from this run")


def _child(spec_file: str, errors: str, fault: str) -> None:
    from lmforge.training.__main__ import main

    if fault:
        os.environ["LMFORGE_FAULT"] = fault

    log = Path(errors).open("a", encoding="utf-8")  # noqa: SIM115
    os.dup2(log.fileno(), 2)
    sys.exit(main([spec_file]))


class Program:
    """Runs of one spec, one after the other."""

    def __init__(self, spec: TrainingSpec) -> None:
        self.spec = spec
        spec.run_dir.mkdir(parents=True, exist_ok=True)
        self.spec_file, self.errors = spec.run_dir / "spec.json", spec.run_dir / "errors.txt"
        self.spec_file.write_text(spec.model_dump_json(), encoding="utf-8")

    def run(self, stop_at: int | None = None, number: int = signal.SIGTERM, fault: str = "") -> int:
        """Exit code of a run that gets a signal once the metrics show the step `stop_at`, or a fault at a point."""
        process = CONTEXT.Process(target=_child, args=(str(self.spec_file), str(self.errors), fault))
        process.start()
        while stop_at is not None and process.is_alive() and self.last_step() < stop_at:
            time.sleep(0.001)
        if stop_at is not None:
            os.kill(process.pid, number)
        process.join(120)
        return process.exitcode

    def last_step(self) -> int:
        rows = self.rows() if self.spec.metrics_file.is_file() else []
        return rows[-1]["step"] if rows else 0

    def rows(self) -> list[dict[str, Any]]:
        lines = self.spec.metrics_file.read_text(encoding="utf-8").splitlines(keepends=True)
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
        return [{name: value for name, value in row.items() if name not in WALL_TIMES} for row in rows]

    def weights(self) -> bytes:
        return (self.spec.model_dir / "model.safetensors").read_bytes()


def _member(environment: dict[str, str], spec_file: str, errors: str, prepare: Callable[[], None] | None) -> None:
    """What the launcher starts, forked from a server that has the imports behind it."""
    from lmforge.training.__main__ import main

    os.environ |= environment | {"TORCH_CPP_LOG_LEVEL": "ERROR"}
    with Path(errors).open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)
    if prepare is not None:
        prepare()
    sys.exit(main([spec_file]))


class Group(Program):
    """Like `Program`, with as many processes as the spec says; `run` returns the exit codes of all.

    prepare: called in each of them before it begins.
    """

    prepare: Callable[[], None] | None = None

    def run(self, stop_at: int | None = None, number: int = signal.SIGTERM, rank: int = 1) -> list[int]:
        """Exit codes of a run in which the process `rank` gets a signal once the metrics show the step `stop_at`."""
        size, meeting = self.spec.settings.num_processes, self.spec.run_dir / f"meeting-{time.monotonic_ns()}"
        environment = dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(size))
        environment |= {RENDEZVOUS: f"file://{meeting}", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "test"}
        started = []
        for one in map(str, range(size)):
            own = environment | {"RANK": one, "LOCAL_RANK": one}
            arguments = (own, str(self.spec_file), str(self.errors), self.prepare)
            started.append(CONTEXT.Process(target=_member, args=arguments))
        for process in started:
            process.start()
        while stop_at is not None and started[0].is_alive() and self.last_step() < stop_at:
            time.sleep(0.001)
        if stop_at is not None:
            os.kill(started[rank].pid, number)
        for process in started:
            process.join(120)
        return [process.exitcode for process in started]


@pytest.fixture
def group() -> Callable[[TrainingSpec], Group]:
    return Group


@pytest.fixture
def program() -> Callable[[TrainingSpec], Program]:
    return Program


@pytest.fixture
def base(make_spec: Callable[..., TrainingSpec], program: Callable[[TrainingSpec], Program]) -> Path:
    """A pre-trained model directory."""
    whole = program(make_spec("base", max_steps=6))
    assert whole.run() == 0
    return whole.spec.model_dir


@pytest.fixture
def finetuning(make_spec: Callable[..., TrainingSpec], base: Path) -> Callable[..., TrainingSpec]:
    """Specs of fine-tuning from `base`."""

    def make(name: str, **changes: Any) -> TrainingSpec:
        changes = {"max_steps": 40, "eval_every_n_steps": 9, "checkpoint_every_n_steps": 6, **changes}
        return make_spec(name, objective="sequence_classification", start=base, **changes)

    return make


@pytest.fixture(autouse=True)
def handlers():
    """Put the handlers of this process back: the program sets its own when it is called here."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
