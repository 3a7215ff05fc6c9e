"""Write down a task's results where the summary, MLflow and the Prefect UI show them."""

from __future__ import annotations

import logging
from typing import Any

from prefect import task as prefect_task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from lmforge.artifacts import Artifact
from lmforge.recipe.schema import Task
from lmforge.reporting.results import base_table, results_table
from tasks import registry, tracking
from tasks.context import BASE_REPORT, Run
from tasks.evaluate import read_metrics
from tasks.register import Registered

logger = logging.getLogger("lmforge.report")


@prefect_task(name="report-task", cache_policy=NO_CACHE)
def report_task(run: Run, task: Task, registered: Registered, decision: dict[str, Any], evidence: Artifact) -> None:
    """One JSON document a task in the run's directory, and the same as a table in both user interfaces."""
    metrics = read_metrics(evidence)
    systems = metrics["systems"]
    document = {
        "task": task.name,
        "metric": task.metric,
        "metrics": systems["model"],
        "baselines": {name: scores for name, scores in systems.items() if name != "model"},
        "num_test_examples": metrics["num_test_examples"],
        "learning_rate": task.finetuning.learning_rate,
        "registered_model": registered.name,
        "version": registered.version,
        "aliases": _aliases(run, registered),
        **decision,
    }
    run.write(f"task-{task.name}.json", document)
    table = results_table(document)
    tracking.client(run.home).set_tag(run.run_id, "mlflow.note.content", table)
    create_markdown_artifact(table, key=f"results-{registered.name}".lower().replace("_", "-"))
    logger.info("%s version %s: %s", registered.name, registered.version, decision["summary"])


@prefect_task(name="report-base", cache_policy=NO_CACHE)
def report_base(run: Run, registered: Registered, decision: dict[str, Any], evidence: Artifact) -> None:
    """The same of a base model, `base.json` in the run's directory."""
    judged = evidence.manifest.facts["documents"]
    document = {
        "metric": judged["metric"],
        "value": judged["value"],
        "floors": judged["floors"],
        "num_documents": judged["num_documents"],
        "registered_model": registered.name,
        "version": registered.version,
        "aliases": _aliases(run, registered),
        **decision,
    }
    run.write(BASE_REPORT, document)
    table = base_table(document)
    tracking.client(run.home).set_tag(run.run_id, "mlflow.note.content", table)
    create_markdown_artifact(table, key=f"results-{registered.name}".lower().replace("_", "-"))
    logger.info("%s version %s: %s", registered.name, registered.version, decision["summary"])


def _aliases(run: Run, registered: Registered) -> list[str]:
    held = registry.aliases(run.home, registered.name)
    return sorted(alias for alias, version in held.items() if version == registered.version)
