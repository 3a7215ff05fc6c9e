"""Begin and end a pipeline run: its MLflow parent run, its directory, and the summary that everyone reads."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lmforge.errors import LmforgeError
from lmforge.home import Home
from lmforge.recipe import load_recipe
from tasks import forwarding, tracking
from tasks.context import BASE_REPORT, SUMMARY, TASK_RUNNER, Run
from tasks.reaching import address
from tasks.starting import resolve
from tasks.workers import parse_workers

logger = logging.getLogger("lmforge.run")


@contextmanager
def tracked_run(recipe: str, overrides: list[str] | None = None) -> Iterator[Run]:
    """A run of a recipe, from its MLflow parent run to its end; what stops it decides the status there.

    Raises InputError before anything is started for a task runner that does not exist.
    """
    home = Home.find().prepare()
    task_runner = os.environ.get(TASK_RUNNER) or "serial"
    parse_workers(task_runner)
    if forwarding.is_away(home):
        raise LmforgeError(
            f"{address(home)} takes no connection; start it, or unset MLFLOW_TRACKING_URI, and run again"
        )
    path = home.project / recipe
    loaded, start = resolve(home, load_recipe(path, overrides or ()))
    experiment_id, run_id = tracking.start_parent(home, loaded, recipe, overrides or [])
    run = Run(
        recipe=loaded,
        recipe_path=recipe,
        home=home,
        run_id=run_id,
        experiment_id=experiment_id,
        start=start,
        task_runner=task_runner,
    )
    run.directory.mkdir(parents=True, exist_ok=True)
    logger.info("run %s of %s", run_id, recipe)
    if start:
        logger.info("starts from %s (%s)", start.name, start.directory)
        tracking.client(home).set_tag(run_id, "lmforge.start", start.name)
    if num_told := forwarding.deliver(home):
        logger.info("told MLflow what %d trainings measured while it was away", num_told)
    status = "FINISHED"
    try:
        yield run
    except BaseException as error:
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        if isinstance(error, Exception) and not isinstance(error, LmforgeError) and forwarding.is_away(home):
            kept = "what is finished is kept, and is told when the next run starts; run again when it is back"
            raise LmforgeError(f"{address(home)} went away; {kept}") from error
        if isinstance(error, LmforgeError) and not forwarding.is_away(home):
            _note(run, str(error))
        raise
    finally:
        summary = summarize(run) | {"status": status.lower()}
        run.write(SUMMARY, summary)
        _end(run, summary, status)


def _end(run: Run, summary: dict[str, Any], status: str) -> None:
    """End the parent run; when MLflow is away, the next pipeline run does it (`tracking.reap`)."""
    if forwarding.is_away(run.home):
        logger.warning("%s is away and was not told how run %s ended", address(run.home), run.run_id)
        return
    tracking.client(run.home).log_dict(run.run_id, summary, SUMMARY)
    tracking.client(run.home).set_terminated(run.run_id, status)


def summarize(run: Run) -> dict[str, Any]:
    """What the run has done so far: its stages, and for each finished task its results and verdict."""
    stages = [record.model_dump(mode="json") for record in run.journal()]
    tasks = [run.read(path.name) for path in sorted(run.directory.glob("task-*.json"))]
    return {
        "run_id": run.run_id,
        "recipe": run.recipe_path,
        "name": run.recipe.name,
        "experiment_id": run.experiment_id,
        "stages": stages,
        "language": _language(stages),
        "base": run.read(BASE_REPORT) if (run.directory / BASE_REPORT).is_file() else None,
        "tasks": tasks,
    }


def _language(stages: list[dict[str, Any]]) -> dict[str, Any] | None:
    for stage in stages:
        if stage["name"] == "evaluate-language":
            evidence: dict[str, Any] = json.loads((Path(stage["path"]) / "metrics.json").read_text(encoding="utf-8"))
            return evidence
    return None


def _note(run: Run, message: str) -> None:
    tracking.client(run.home).set_tag(run.run_id, "mlflow.note.content", f"Stopped: {message}")
