"""Collect from the manifests what a model card states, and write the card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmforge.artifacts import Artifact
from lmforge.recipe.schema import Recipe, Task
from lmforge.release.card_facts import CardFacts, PipelineTag, Result, TrainingData
from lmforge.release.model_card import model_card
from tasks.context import Run
from tasks.evaluate import read_metrics

_PIPELINE_TAGS: dict[str, PipelineTag] = {
    "causal_lm": "text-generation",
    "span_corruption": "text2text-generation",
    "denoising": "text2text-generation",
}
SETTINGS = ("max_steps", "global_batch_size", "max_seq_length", "learning_rate", "schedule", "warmup_steps", "dropout")


def write_card(run: Run, task: Task, name: str, evidence: Artifact, artifacts: Mapping[str, Artifact]) -> Path:
    """Write README.md into the run's directory and return its path. artifacts: by stage name."""
    recipe, metrics = run.recipe, read_metrics(evidence)
    manifests = {stage: artifact.manifest for stage, artifact in artifacts.items()}
    language = manifests.get("evaluate-language")
    facts = CardFacts(
        registered_model=name,
        pipeline_tag="text-classification",
        objective=f"gives a text its {task.data.label}, one of {len(metrics['per_class'])} labels",
        languages=recipe.corpus.cleaning.languages if recipe.corpus else (),
        labels=tuple(row["label"] for row in metrics["per_class"]),
        architecture=_architecture(recipe),
        num_parameters=manifests[f"finetune-{task.name}"].facts["parameters"],
        data=tuple(_data(run, task, manifests)),
        tokenizer=recipe.tokenizer.model_dump(mode="json") if recipe.corpus else {},
        pretraining=_settings(recipe.pretraining.model_dump(mode="json")) if recipe.corpus else {},
        finetuning=_settings(task.finetuning.model_dump(mode="json")),
        num_test_examples=metrics["num_test_examples"],
        results=tuple(_results(metrics, task.metric)),
        language_losses=_losses(language.facts) if language else {},
        fingerprints={stage: artifact.fingerprint for stage, artifact in artifacts.items()},
    )
    run.directory.mkdir(parents=True, exist_ok=True)
    path = run.directory / "README.md"
    path.write_text(model_card(facts), encoding="utf-8")
    return path


def write_base_card(run: Run, name: str, artifacts: Mapping[str, Artifact]) -> Path:
    """Write README.md of a base model into a directory of its own in the run's, and return its path."""
    recipe = run.recipe
    manifests = {stage: artifact.manifest for stage, artifact in artifacts.items()}
    judged, objective = manifests["evaluate-language"].facts["documents"], recipe.pretraining.objective
    sources = tuple(source.path for source in run.corpus.sources)
    systems = {"this model": judged["value"]} | {f"{one} counts": value for one, value in judged["floors"].items()}
    facts = CardFacts(
        registered_model=name,
        pipeline_tag=_PIPELINE_TAGS.get(objective, "fill-mask"),
        objective=f"has learned from text by {objective}, for others to start from",
        languages=run.corpus.cleaning.languages,
        architecture=_architecture(recipe),
        num_parameters=manifests["pretrain"].facts["parameters"],
        data=(TrainingData(purpose="pre-training", sources=sources, counts=manifests["clean"].counts),),
        tokenizer=recipe.tokenizer.model_dump(mode="json"),
        pretraining=_settings(recipe.pretraining.model_dump(mode="json")),
        num_test_examples=judged["num_documents"],
        results=tuple(Result(system=one, metric=judged["metric"], value=value) for one, value in systems.items()),
        language_losses=_losses(manifests["evaluate-language"].facts),
        fingerprints={stage: artifact.fingerprint for stage, artifact in artifacts.items()},
    )
    path = run.directory / "base" / "README.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(model_card(facts), encoding="utf-8")
    return path


def _architecture(recipe: Recipe) -> dict[str, Any]:
    if recipe.model.start_from:
        return {"started from": recipe.model.start_from}
    return {"architecture": recipe.model.architecture, "size": recipe.model.size}


def _data(run: Run, task: Task, manifests: Mapping[str, Any]) -> list[TrainingData]:
    data = []
    if run.recipe.corpus:
        sources = tuple(source.path for source in run.recipe.corpus.sources)
        data.append(TrainingData(purpose="pre-training", sources=sources, counts=manifests["clean"].counts))
    paths = tuple(path for path in (task.data.path, task.data.train, task.data.validation, task.data.test) if path)
    counts = manifests[f"label-{task.name}"].counts
    return [*data, TrainingData(purpose="fine-tuning and test", sources=paths, counts=counts)]


def _results(metrics: Mapping[str, Any], metric: str) -> list[Result]:
    rows = {system: scores[metric] for system, scores in metrics["systems"].items()}
    return [
        Result(system=system, metric=metric, value=row["value"], low=row["low"], high=row["high"])
        for system, row in rows.items()
    ]


def _settings(dumped: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dumped[name] for name in ("objective", *SETTINGS) if name in dumped}


def _losses(facts: Mapping[str, Any]) -> dict[str, float]:
    return {"this model": facts["model"]["loss"]} | dict(facts["floors"])
