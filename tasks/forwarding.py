"""What a training program writes into its directory goes to one MLflow run: while it runs, after an outage, or later.

`mlflow.json` in the directory names the run, so a training that was stopped goes on in the run that it began in. After
a failure or a new start MLflow is asked what it has before anything is sent: a request that timed out may have arrived.
What could not be told until the end of a training is told when the next pipeline run starts.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from lmforge.artifacts import Artifact
from lmforge.home import Home
from tasks import tracking
from tasks.context import Run

logger = logging.getLogger("lmforge.tracking")

RECORD = "mlflow.json"
# Files of a training directory that people see among the artifacts of its run, and where.
_SHOWN = {"samples/step-*.md": "samples", "*.png": "figures"}
# MLflow's own client tries for minutes, and the end of a training would wait for it; we come again in seconds anyway.
_CONNECT_SECONDS = 2.0
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


class Tracked(BaseModel):
    """The MLflow run of a training directory.

    ended: the status that it is to have, once the training has ended. complete: MLflow has everything, status included.
    """

    model_config = ConfigDict(frozen=True)

    tracking_uri: str
    run_id: str
    ended: str | None = None
    complete: bool = False

    def write(self, directory: Path) -> None:
        """Replace the record in `directory`."""
        partial = directory / f".{RECORD}.partial"
        partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(directory / RECORD)


class Forwarder:
    """Sends the rows of metrics.jsonl, the samples and the figures of a directory; nothing twice, and nothing is lost.

    new: MLflow has nothing of this run yet, so it need not be asked.
    """

    def __init__(self, home: Home, run_id: str, directory: Path, *, new: bool = False) -> None:
        self.home, self.run_id, self.directory = home, run_id, directory
        self.offset = 0
        self.sure, self.away = new, False
        self.points: set[tuple[str, int]] = set()
        self.files: set[str] = set()

    def forward(self) -> bool:
        """Send what is new; False when MLflow did not take all of it, which is then sent again."""
        from mlflow.exceptions import MlflowException

        try:
            with _impatient(self.home.tracking_uri):
                if not self.sure:
                    self._ask()
                self.sure = False  # a request that is cut off, by a signal too, may have arrived
                self._send_metrics()
                self._send_files()
                self.sure = True
        except (MlflowException, OSError) as error:
            if not self.away:
                logger.warning("MLflow took nothing (%s); it is in %s and is sent again", error, self.directory)
            self.away = True
            return False
        if self.away:
            logger.info("MLflow answers again and has everything from %s", self.directory)
        self.away = False
        return True

    def end(self, status: str) -> bool:
        """Send the rest and end the run; False when that is left for the start of the next pipeline run."""
        from mlflow.exceptions import MlflowException

        record = Tracked(tracking_uri=self.home.tracking_uri, run_id=self.run_id, ended=status)
        record.write(self.directory)
        if not self.forward():
            return False
        try:
            with _impatient(self.home.tracking_uri):
                tracking.client(self.home).set_terminated(self.run_id, status)
        except (MlflowException, OSError) as error:
            logger.warning("MLflow did not end run %s (%s); the next pipeline run does it", self.run_id, error)
            return False
        record.model_copy(update={"complete": True}).write(self.directory)
        return True

    def _ask(self) -> None:
        """Look up what MLflow has."""
        tracker = tracking.client(self.home)
        names = tracker.get_run(self.run_id).data.metrics
        self.points = {(name, one.step) for name in names for one in tracker.get_metric_history(self.run_id, name)}
        places = sorted(set(_SHOWN.values()))
        self.files = {one.path for place in places for one in tracker.list_artifacts(self.run_id, place)}

    def _send_metrics(self) -> None:
        path = self.directory / "metrics.jsonl"
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(self.offset)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]
        rows = [json.loads(line) for line in complete.splitlines()]
        lacking = [
            {name: value for name, value in row.items() if name == "step" or (name, row["step"]) not in self.points}
            for row in rows
        ]
        tracking.log_metrics(self.home, self.run_id, lacking)
        self.offset += len(complete)
        self.points.clear()

    def _send_files(self) -> None:
        for pattern, place in _SHOWN.items():
            for path in sorted(self.directory.glob(pattern)):
                if f"{place}/{path.name}" not in self.files:
                    tracking.log_files(self.home, self.run_id, [path], place)
                    self.files.add(f"{place}/{path.name}")


@contextmanager
def training_run(
    run: Run,
    directory: Path,
    name: str,
    tags: Mapping[str, str],
    params: Mapping[str, Any],
    data: Mapping[str, Artifact],
) -> Iterator[Forwarder]:
    """The MLflow run of the training in `directory`, nested in the pipeline's run; it ends as the body does.

    A training that goes on continues its run, which moves to this pipeline's. data: what it learns from, by name.
    MLflow must answer at the start; after that nothing waits for it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tags = {"mlflow.parentRunId": run.run_id, **tags}
    before = _unfinished(run.home, directory)
    if before is None:
        run_id = tracking.client(run.home).create_run(run.experiment_id, run_name=name, tags=dict(tags)).info.run_id
        tracking.log_params(run.home, run_id, params)
        for what, artifact in data.items():
            tracking.log_dataset(run.home, run_id, artifact, what, "training")
    else:
        run_id = before.run_id
        tracking.client(run.home).update_run(run_id, status="RUNNING")
        for key, value in tags.items():
            tracking.client(run.home).set_tag(run_id, key, value)
    Tracked(tracking_uri=run.home.tracking_uri, run_id=run_id).write(directory)
    forwarder = Forwarder(run.home, run_id, directory, new=before is None)
    status = "FINISHED"
    try:
        yield forwarder
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        raise
    finally:
        forwarder.end(status)


def deliver(home: Home) -> int:
    """Tell MLflow what trainings measured while it was away; the number of runs that are complete now."""
    return sum(_deliver(home, path.parent) for path in sorted((home.path / "training").glob(f"*/{RECORD}")))


def is_away(home: Home) -> bool:
    """Whether the tracking server takes no connection; a store that is a file is never away."""
    try:
        _connect(home.tracking_uri)
    except OSError:
        return True
    return False


def has_run(home: Home, run_id: str) -> bool:
    """Whether the tracking store has this run, and nobody deleted it."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(tracking.client(home).get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def _unfinished(home: Home, directory: Path) -> Tracked | None:
    """The run that a training in `directory` began and did not finish, as far as this store has it."""
    path = directory / RECORD
    if not path.is_file():
        return None
    record = Tracked.model_validate_json(path.read_bytes())
    there = record.tracking_uri == home.tracking_uri and has_run(home, record.run_id)
    return record if there and record.ended != "FINISHED" else None


def _deliver(home: Home, directory: Path) -> bool:
    try:
        # Whoever holds the lock tells MLflow already.
        with FileLock(directory / f".{RECORD}.lock", timeout=0):
            record = Tracked.model_validate_json((directory / RECORD).read_bytes())
            if record.complete or record.ended is None or record.tracking_uri != home.tracking_uri:
                return False
            if has_run(home, record.run_id):
                return Forwarder(home, record.run_id, directory).end(record.ended)
            record.model_copy(update={"complete": True}).write(directory)
            return False
    except Timeout:
        return False


def _connect(uri: str) -> None:
    """Raise OSError where the server of `uri` takes no connection; a store that is a file has none."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https") and parts.hostname:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname, port), _CONNECT_SECONDS).close()


@contextmanager
def _impatient(uri: str) -> Iterator[None]:
    """Requests that give up after a few seconds when their server is away. Raises OSError where it is at the start."""
    _connect(uri)
    before = os.environ.get(_RETRIES)
    os.environ[_RETRIES] = before or "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_RETRIES]
