"""Stage `evaluate`: evidence for a base model and for each task model, with the baselines beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact, Counts
from lmforge.artifacts.store import Outcome
from lmforge.recipe.schema import Task
from tasks import forwarding, tracking
from tasks.context import Run
from tasks.stage import make, stage_task


@stage_task
def evaluate_language(run: Run, base: Artifact, tokens: Artifact, clean: Artifact) -> State[Artifact]:
    """Loss of the base model on held-out text, beside n-gram floors on the same positions.

    The documents of `clean` that a release is judged on are scored one by one, too.
    """
    judged = run.recipe.releases_base

    def build(out: Path) -> Outcome:
        from lmforge.evaluation.language import evaluate_language_model
        from lmforge.evaluation.language_documents import held_out_documents

        logged, bytes_per_token = base.path / "logs" / "metrics.jsonl", tokens.manifest.facts["bytes_per_token"]
        documents = held_out_documents(clean.path, run.recipe.release.max_documents)[0] if judged else None
        result = evaluate_language_model(
            base.path / "model", tokens.path, run.recipe.pretraining, logged, out, bytes_per_token, documents
        )
        values = {f"val/{name}": value for name, value in result["model"].items()}
        values |= {f"floor/{name}_loss": value for name, value in result["floors"].items()}
        with tracking.nested_run(run, "evaluate-language", "evaluate") as child:
            tracking.log_metrics(run.home, child, [values])
            tracking.log_files(run.home, child, [out / "loss.png"], "figures")
        # The curve of the training itself gets the floors, too: they are known only now.
        if forwarding.has_run(run.home, trained := str(base.manifest.facts.get("mlflow_run_id"))):
            tracking.log_files(run.home, trained, [out / "loss.png"], "figures")
        return Outcome(facts=result | {"mlflow_run_id": child})

    inputs = {"pretrain": base, "tokenize": tokens} | ({"clean": clean} if judged else {})
    return make(run, "evaluate-language", inputs, build)


@stage_task
def answer_baselines(run: Run, task: Task, labelled: Artifact) -> State[Artifact]:
    """What the majority class and TF-IDF with a linear model answer on the test set."""

    def build(out: Path) -> Outcome:
        from lmforge.evaluation.classification import answer_baselines

        answer_baselines(labelled.path, out, run.recipe.seed, task.baselines)
        return Outcome()

    return make(run, f"baselines-{task.name}", {f"label-{task.name}": labelled}, build)


@stage_task
def evaluate_task(
    run: Run, task: Task, labelled: Artifact, baselines: Artifact, model: Artifact, scratch: Artifact | None
) -> State[Artifact]:
    """Predictions and metrics of the task model, the network from scratch and the baselines on the frozen test set."""
    stage = f"evaluate-{task.name}"

    def build(out: Path) -> Outcome:
        import polars as pl

        from expectations.predictions import answered, predictions
        from lmforge.evaluation.classification import evaluate_classifier, read_labels
        from lmforge.evaluation.predictions import read_predictions
        from tasks.gating import gate

        models = {"model": model.path / "model"} | ({"scratch": scratch.path / "model"} if scratch else {})
        release = run.recipe.release
        result = evaluate_classifier(
            models, labelled.path, baselines.path, out, seed=run.recipe.seed, resamples=release.resamples
        )
        answers = answered(read_predictions(out / "model").lazy(), pl.scan_parquet(labelled.path / "test.parquet"))
        suite = predictions(labels=read_labels(labelled.path), **run.recipe.expectations.predictions.model_dump())
        judged = gate(run, stage, suite, answers, out, {"num_test_examples": result["num_test_examples"]})
        with tracking.nested_run(run, stage, "evaluate") as child:
            _log(run, child, result, out)
            tracking.log_dataset(run.home, child, labelled, f"{task.name} test", "testing")
        counts = Counts(read=result["num_test_examples"], kept=result["num_test_examples"], unit="test examples")
        return Outcome(counts, result | {"mlflow_run_id": child, "warnings": judged.num_warnings})

    inputs = {f"finetune-{task.name}": model, f"baselines-{task.name}": baselines, f"label-{task.name}": labelled}
    return make(run, stage, inputs | ({f"scratch-{task.name}": scratch} if scratch else {}), build)


def _log(run: Run, child: str, result: dict[str, Any], out: Path) -> None:
    values: dict[str, float] = {}
    for system, metrics in result["systems"].items():
        scope = "test" if system == "model" else f"baseline/{system}"
        for metric, interval in metrics.items():
            values[f"{scope}/{metric}"] = interval["value"]
            values |= {f"{scope}/{metric}_{end}": interval[end] for end in ("low", "high")}
    tracking.log_metrics(run.home, child, [values])
    tracking.log_metrics(run.home, run.run_id, [{k: v for k, v in values.items() if not k.endswith(("_low", "_high"))}])
    tracking.log_files(run.home, child, [out / "confusion.png"], "figures")
    tracking.log_files(run.home, child, [out / "per_class.csv", out / "metrics.json"], "tables")
    tracking.log_files(run.home, child, [out / "model" / "predictions.parquet"], "predictions")


def read_metrics(evidence: Artifact) -> dict[str, Any]:
    """The metrics of an evidence artifact."""
    metrics: dict[str, Any] = json.loads((evidence.path / "metrics.json").read_text(encoding="utf-8"))
    return metrics
