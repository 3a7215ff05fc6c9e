"""Register a model as a version in MLflow's registry; the registry itself says whether it is already there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib.metadata import version as library_version
from pathlib import Path

from prefect import task as prefect_task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict

from lmforge.artifacts import Artifact
from lmforge.recipe.schema import BASE, Task
from tasks import registry, tracking
from tasks.context import Run, fingerprints
from tasks.turns import create_version

REQUIREMENTS = ("torch", "transformers")


class Registered(BaseModel):
    """A registered version."""

    model_config = ConfigDict(frozen=True)

    name: str
    version: str
    reused: bool


@prefect_task(name="register-model", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=2)
def register_model(
    run: Run, task: Task, model: Artifact, evidence: Artifact, sources: dict[str, Artifact]
) -> Registered:
    """Log the model directory with signature, example, card and fingerprints, and register it as `challenger`.

    A version with the same evidence is used again. The version is created after all its files are there.
    """

    def log(child: str) -> tuple[str, Path]:
        from tasks.card import write_card

        name = f"{run.recipe.name}-{task.name}"
        card = write_card(run, task, name, evidence, sources | {f"finetune-{task.name}": model})
        return _log(run, child, model.path / "model", card, example=_example(sources[f"label-{task.name}"])), card

    return register_version(run, task.name, model, evidence, sources, log)


def register_version(
    run: Run,
    ending: str,
    model: Artifact,
    evidence: Artifact,
    sources: Mapping[str, Artifact],
    log: Callable[[str], tuple[str, Path]],
    extra: Mapping[str, str] | None = None,
) -> Registered:
    """The version of RECIPE-`ending` with this evidence; a new one, which becomes `challenger`, where there is none.

    log: logs the model's files with the MLflow run that it is given; returns the model's URI and its card. extra: tags
    of the version beside its fingerprints.
    """
    name = f"{run.recipe.name}-{ending}"
    found = registry.find_version(run.home, name, evidence.fingerprint)
    if found is not None:
        return Registered(name=name, version=str(found.version), reused=True)
    made_of = fingerprints(sources) | {"model": model.fingerprint, "evidence": evidence.fingerprint}
    tags = {f"lmforge.{stage}": fingerprint for stage, fingerprint in made_of.items()} | dict(extra or {})
    with tracking.nested_run(run, f"register-{ending}", "register") as child:
        uri, card = log(child)
        about = _about(name, "Base" if ending == BASE else "Task", run.recipe.name)
        version = _create(run, name, uri, child, card, about, tags)
    registry.set_alias(run.home, name, registry.CHALLENGER, version)
    return Registered(name=name, version=version, reused=False)


def pinned() -> list[str]:
    """The libraries that a model's files need, as pip names them."""
    return [f"{name}=={library_version(name).split('+')[0]}" for name in REQUIREMENTS]


def _log(run: Run, child: str, directory: Path, card: Path, example: str) -> str:
    """Log the model; its `model/` becomes a whole transformers directory with tokenizer and card."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    # It looks for a licence and a card on a hub; the card is ours and is added below.
    logging.getLogger("mlflow.transformers").setLevel(logging.ERROR)
    tracker = tracking.client(run.home)
    parts = {
        "model": AutoModelForSequenceClassification.from_pretrained(directory, local_files_only=True),
        "tokenizer": AutoTokenizer.from_pretrained(directory, local_files_only=True),
    }
    answer = pd.DataFrame({"label": pd.Series(["a"], dtype=object), "score": [0.5]})
    with mlflow.start_run(run_id=child):
        info = mlflow.transformers.log_model(
            parts,
            name="model",
            task="text-classification",
            pip_requirements=pinned(),
            signature=infer_signature([example], answer),
            input_example=[example],
        )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        tracker.log_model_artifact(info.model_id, str(directory / name), "model")
    tracker.log_model_artifact(info.model_id, str(card), "model")
    uri: str = info.model_uri
    return uri


def _about(name: str, kind: str, recipe: str) -> str:
    """What stands above the versions: MLflow's pages offer to edit what the ledger holds, and explain none of it."""
    return (
        f"{kind} model of the recipe {recipe}. The alias `champion` is in production: `lmforge history {name}` says "
        f"since when, by whom and why, `lmforge compare {name}/1 {name}/2` what differs between versions. Change it "
        "with `lmforge promote` and `lmforge rollback` alone: the tags below are the ledger, and aliases or tags that "
        f"are edited here no longer verify (`lmforge history {name} --verify`)."
    )


def _create(run: Run, name: str, uri: str, child: str, card: Path, about: str, tags: dict[str, str]) -> str:
    tags |= {"lmforge.state": "registered", "lmforge.pipeline_run": run.run_id, "lmforge.recipe": run.recipe_path}
    description = card.read_text(encoding="utf-8").split("---", 2)[-1].strip()
    facts = {"run_id": child, "tags": tags, "description": description, "model_id": uri.rsplit("/", 1)[-1]}
    return create_version(run.home, name, uri, about, **facts)


def _example(labelled: Artifact) -> str:
    import polars as pl

    text: str = pl.read_parquet(labelled.path / "test.parquet", n_rows=1)["text"][0]
    return text[:500]
