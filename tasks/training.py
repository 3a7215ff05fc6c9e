"""Start the training program, forward what it measures to MLflow while it runs, and stop it when we are stopped.

It is a process of its own: Lightning's launchers re-run the program that calls them, which here would be the flow.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import lmforge
from lmforge.artifacts import Artifact
from lmforge.computing import training_settings
from lmforge.errors import InputError, TrainingError
from lmforge.evaluation.figures import loss_figure
from lmforge.training.checkpoints import newest_checkpoint, step_of
from lmforge.training.claiming import claimed
from lmforge.training.metrics import drop_after, read_metrics
from lmforge.training.spec import TrainingSpec
from lmforge.training.stopping import PARENT
from tasks import forwarding
from tasks.context import Run

logger = logging.getLogger("lmforge.training")

FORWARD_EVERY_SECONDS = 5.0
# A stopped program finishes its step and writes a checkpoint; after this it is killed.
STOP_SECONDS = 30.0
NUM_KEPT_LINES = 30
SPEC_FILE = "spec.json"


def train(run: Run, spec: TrainingSpec, kind: str, data: Mapping[str, Artifact] | None = None) -> dict[str, Any]:
    """Run one training program to its end; returns its result.json and the id of its MLflow run.

    data: what it learns from, by the names that MLflow shows. MLflow may be away while it trains, not before.
    Raises TrainingError, or InputError for exit code 2, with the last lines that the program printed.
    """
    spec.run_dir.mkdir(parents=True, exist_ok=True)
    spec_file = spec.run_dir / SPEC_FILE
    spec_file.write_text(spec.model_dump_json(indent=2) + "\n", encoding="utf-8")
    # A program that lost its pipeline may still write; once it has ended its last checkpoint is known.
    with claimed(spec.run_dir):
        # The program will measure again what came after it; forwarded now, those steps would be there twice.
        drop_after(spec.metrics_file, step_of(newest_checkpoint(spec.checkpoints)))
    settings = spec.settings.model_dump(mode="json") | {"seed": spec.seed, "num_threads": spec.num_threads}
    tags = {"lmforge.kind": kind, "lmforge.start": str(spec.start or "new weights")}
    with forwarding.training_run(run, spec.run_dir, spec.name, tags, settings, data or {}) as forwarder:
        _follow([sys.executable, "-m", "lmforge.training", str(spec_file)], forwarder)
        result: dict[str, Any] = json.loads(spec.result_file.read_text(encoding="utf-8"))
        loss_figure(read_metrics(spec.metrics_file), {}, spec.run_dir / "loss.png")
        _keep_logs(spec)
    return result | {"mlflow_run_id": forwarder.run_id}


def _keep_logs(spec: TrainingSpec) -> None:
    """Copy what was measured beside the model; `logs` holds wall times, so it does not enter the fingerprint."""
    logs = spec.model_dir.parent / "logs"
    logs.mkdir(exist_ok=True)
    always = (spec.run_dir / SPEC_FILE, spec.metrics_file, spec.result_file, spec.execution_file)
    for path in (*always, *_where_asked_for(spec)):
        shutil.copy(path, logs / path.name)


def _where_asked_for(spec: TrainingSpec) -> list[Path]:
    return [path for path in (spec.skipped_file, spec.learning_rate_file) if path.is_file()]


def num_threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def _follow(command: list[str], forwarder: forwarding.Forwarder) -> None:
    """Run the command in a session of its own, so that a Ctrl-C reaches it once and through us."""
    on_terminal = sys.stderr.isatty()
    ours = str(Path(lmforge.__file__).parent.parent)
    paths = [ours, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = training_settings() | os.environ | {"PYTHONPATH": os.pathsep.join(paths), PARENT: str(os.getpid())}
    process = subprocess.Popen(
        command,
        env=environment,
        stderr=None if on_terminal else subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    lines: deque[str] = deque(maxlen=NUM_KEPT_LINES)
    reader = threading.Thread(target=_relay, args=(process.stderr, lines), daemon=True)
    if process.stderr is not None:
        reader.start()
    try:
        while process.poll() is None:
            try:
                process.wait(FORWARD_EVERY_SECONDS)
            except subprocess.TimeoutExpired:
                forwarder.forward()
        forwarder.forward()
    except BaseException:
        _stop(process)
        raise
    if process.stderr is not None:
        reader.join()
    if process.returncode:
        _complain(process.returncode, lines)


def _relay(stream: IO[str] | None, lines: deque[str]) -> None:
    assert stream is not None
    for line in stream:
        lines.append(line.rstrip())
        logger.info(line.rstrip())


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _complain(code: int, lines: deque[str]) -> None:
    printed = "\n".join(lines) or "see its output above"
    if code == InputError.exit_code:
        raise InputError(printed)
    if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
        printed += "\nkilled, probably for lack of memory: lower global_batch_size or max_seq_length, then run again"
    raise TrainingError(
        f"the training program ended with exit code {code}; run again to go on from its checkpoint\n{printed}"
    )
