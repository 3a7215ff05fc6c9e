"""Everything that goes to MLflow while a pipeline runs. Run ids are passed explicitly: the active run is thread-local.

MLflow is imported inside functions, so that loading a flow stays cheap.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lmforge
from lmforge import __version__
from lmforge.artifacts import Artifact, Manifest
from lmforge.home import Home
from lmforge.recipe import Recipe
from lmforge.release.environment import environment
from lmforge.services.programs import is_remote
from lmforge.services.record import ServiceRecord, is_alive
from tasks.context import Run, StageRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger("lmforge.tracking")

# What people compare runs by. Everything else is in recipe.json of the run.
PARAMETERS = ("seed", "tokenizer.kind", "tokenizer.vocab_size", "model.architecture", "model.size")
OPTIMIZATION = (
    "objective", "max_steps", "global_batch_size", "max_seq_length", "learning_rate", "warmup_steps", "schedule",
    "weight_decay", "dropout", "mask_share",
)  # fmt: skip
# The description above MLflow's list of runs.
EXPERIMENT_TAGS = {
    "mlflow.note.content": (
        "A row is one `lmforge run` of the recipe; the runs below it are its trainings, evaluations, registration and "
        "gate. `lmforge compare latest~1 latest` shows what differs between two."
    ),
}
METRICS_PER_CALL = 500
PROCESS = "process.json"
# What the run was executed by, beside its recipe.
ENVIRONMENT = "environment.json"
MAX_DIGEST = 36
MAX_NAME = 120
# Kinds of artifacts that are data: the parent run shows them as its inputs.
DATASETS = ("raw_corpus", "labelled", "clean_corpus", "tokens")


def client(home: Home) -> MlflowClient:
    """A client of the home's tracking store and registry, both chosen by one URI."""
    import mlflow

    warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
    uri, given = home.tracking_uri, os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    # MLflow writes the address into the environment, where it would look like the user's wish for every other home.
    if given is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    return mlflow.MlflowClient(uri)


def experiment(home: Home, name: str) -> str:
    """The id of the experiment `name`; its artifacts are in the home, or where the server keeps them."""
    tracker = client(home)
    found = tracker.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    # A server has a place of its own; what writes into a database itself would take the current directory.
    place = None if is_remote(home.tracking_uri) else (home.mlflow_artifacts / name).as_uri()
    return str(tracker.create_experiment(name, artifact_location=place, tags=EXPERIMENT_TAGS))


def start_parent(home: Home, recipe: Recipe, recipe_path: str, overrides: list[str]) -> tuple[str, str]:
    """Start the parent run of a pipeline run; returns its experiment id and run id."""
    experiment_id = experiment(home, recipe.name)
    tags = {
        "lmforge.kind": "pipeline",
        "lmforge.version": __version__,
        "lmforge.recipe": recipe_path,
        "mlflow.source.name": recipe_path,
        **git_tags(home.project),
    }
    if overrides:
        tags["lmforge.overrides"] = " ".join(overrides)
    reap(home, experiment_id)
    tracker = client(home)
    name = " ".join([recipe.name, *overrides])[:MAX_NAME]
    run = tracker.create_run(experiment_id, run_name=name, tags=tags)
    owner = home.runs / run.info.run_id / PROCESS
    owner.parent.mkdir(parents=True)
    owner.write_text(ServiceRecord.of("pipeline", os.getpid()).model_dump_json(), encoding="utf-8")
    log_params(home, run.info.run_id, _parameters(recipe))
    tracker.log_dict(run.info.run_id, recipe.model_dump(mode="json"), "recipe.json")
    tracker.log_dict(run.info.run_id, environment(Path(lmforge.__file__).parent.parent), ENVIRONMENT)
    return experiment_id, run.info.run_id


def reap(home: Home, experiment_id: str) -> None:
    """End the runs of this machine whose process is dead: nobody else will."""
    running = "attributes.status = 'RUNNING' and tags.`lmforge.kind` = 'pipeline'"
    for run in client(home).search_runs([experiment_id], running):
        owner = home.runs / run.info.run_id / PROCESS
        if owner.is_file() and not is_alive(ServiceRecord.model_validate_json(owner.read_bytes())):
            client(home).set_tag(run.info.run_id, "mlflow.note.content", "Stopped: its process was killed.")
            client(home).set_terminated(run.info.run_id, "KILLED")
            logger.info("run %s was killed; marked so in MLflow", run.info.run_id)


def log_params(home: Home, run_id: str, values: Mapping[str, Any]) -> None:
    """Log parameters in one request."""
    from mlflow.entities import Param

    client(home).log_batch(run_id, params=[Param(name, str(value)) for name, value in values.items()])


def log_metrics(home: Home, run_id: str, rows: list[dict[str, Any]]) -> None:
    """Log rows of `{"step": n, "metric": value, ...}`, many in a request."""
    from mlflow.entities import Metric
    from mlflow.utils.time import get_current_time_millis

    now = get_current_time_millis()
    metrics = [Metric(k, float(v), now, row.get("step", 0)) for row in rows for k, v in row.items() if k != "step"]
    for start in range(0, len(metrics), METRICS_PER_CALL):
        client(home).log_batch(run_id, metrics=metrics[start : start + METRICS_PER_CALL])


def log_stage(run: Run, record: StageRecord, manifest: Manifest) -> None:
    """Tell the parent run about a stage: key, fingerprint, seconds; for a reused one, where its logs are."""
    from mlflow.entities import Metric, RunTag
    from mlflow.utils.time import get_current_time_millis

    tags = {f"stage.{record.name}.key": record.key, f"stage.{record.name}.fingerprint": record.fingerprint}
    if record.cached:
        tags[f"stage.{record.name}.reused"] = manifest.facts.get("mlflow_run_id", "true")
    seconds = Metric(f"seconds/{record.name}", record.seconds, get_current_time_millis(), 0)
    client(run.home).log_batch(run.run_id, metrics=[seconds], tags=[RunTag(k, str(v)) for k, v in tags.items()])
    if record.kind in DATASETS:
        artifact = Artifact(kind=record.kind, path=record.path, fingerprint=record.fingerprint)
        log_dataset(run.home, run.run_id, artifact, record.name, record.kind)
    if record.cached and (report := record.path / "logs" / "validation").is_dir():
        log_report(run, record.name, report)


def log_report(run: Run, stage: str, report: Path) -> None:
    """Put a validation report where the UI shows it: the parent run's artifacts, below data_docs."""
    client(run.home).log_artifacts(run.run_id, str(report), f"data_docs/{stage}")


@contextmanager
def nested_run(run: Run, name: str, kind: str, **tags: str) -> Iterator[str]:
    """A child run of the pipeline's run; it ends FAILED or KILLED when the body does not get through."""
    tracker = client(run.home)
    all_tags = {"mlflow.parentRunId": run.run_id, "lmforge.kind": kind, **tags}
    child = tracker.create_run(run.experiment_id, run_name=name, tags=all_tags).info.run_id
    status = "FINISHED"
    try:
        yield child
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        raise
    finally:
        tracker.set_terminated(child, status)


def log_dataset(home: Home, run_id: str, artifact: Artifact, name: str, context: str) -> None:
    """Log an artifact as an input of a run, with its own content fingerprint instead of a hash of its first rows."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    manifest = artifact.manifest
    profile = {"num_rows": manifest.counts.read, "size_bytes": manifest.size_bytes}
    source = {"uri": artifact.path.as_uri(), "fingerprint": artifact.fingerprint}
    dataset = Dataset(name, artifact.fingerprint[:MAX_DIGEST], "local", json.dumps(source), profile=json.dumps(profile))
    given = DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
    client(home).log_inputs(run_id, [given])


def logged(home: Home, run_id: str, name: str) -> dict[str, Any]:
    """A JSON document among the artifacts of a run; empty when the run ended before it was logged."""
    import mlflow
    from mlflow.exceptions import MlflowException

    client(home)
    try:
        document: dict[str, Any] = mlflow.artifacts.load_dict(f"runs:/{run_id}/{name}")
    except (MlflowException, OSError):
        return {}
    return document


def log_files(home: Home, run_id: str, files: Iterable[Path], place: str) -> None:
    """Put files below `place` in a run's artifacts."""
    for path in files:
        client(home).log_artifact(run_id, str(path), place)


def _parameters(recipe: Recipe) -> dict[str, Any]:
    values: dict[str, Any] = {}
    dumped = recipe.model_dump(mode="json")
    for dotted in PARAMETERS:
        head, _, tail = dotted.partition(".")
        values[dotted] = dumped[head][tail] if tail else dumped[head]
    sections = {"pretraining": dumped["pretraining"]} if recipe.corpus else {}
    sections |= {f"{task['name']}.finetuning": task["finetuning"] for task in dumped["tasks"]}
    for section, settings in sections.items():
        values |= {f"{section}.{name}": settings[name] for name in OPTIMIZATION if name in settings}
    return values


def git_tags(project: Path) -> dict[str, str]:
    """Commit of the project and whether something is not committed, as tags of a run; empty without a repository."""

    def ask(*arguments: str) -> str | None:
        answer = subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False)
        return answer.stdout.strip() if answer.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    if not commit:
        return {}
    return {"mlflow.source.git.commit": commit, "lmforge.git_dirty": str(bool(ask("status", "--porcelain"))).lower()}
