"""Register a base model as a version of NAME-base, so that what is true of a task model is true of it: gate, history.

The files are those that pre-training left, to the last byte; what MLflow saves itself is written over with them.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from prefect import task as prefect_task
from prefect.cache_policies import NO_CACHE

from lmforge.artifacts import Artifact
from lmforge.recipe.schema import BASE
from tasks import tracking
from tasks.context import Run
from tasks.register import Registered, pinned, register_version

OBJECTIVE_TAG = "lmforge.objective"
# transformers has no pipeline for what rebuilds a text from parts of it, so MLflow has no flavour for it.
_WITHOUT_PIPELINE = ("span_corruption", "denoising")


@prefect_task(name="register-base", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=2)
def register_base(run: Run, made: dict[str, Artifact]) -> Registered:
    """Log the base model's directory with card, objective and fingerprints, and register it as `challenger`.

    made: by stage name, at least `pretrain` and `evaluate-language`. A version with the same evidence is used again.
    """
    base, evidence = made["pretrain"], made["evaluate-language"]

    def log(child: str) -> tuple[str, Path]:
        from tasks.card import write_base_card

        card = write_base_card(run, f"{run.recipe.name}-{BASE}", made)
        return _log(run, child, base.path / "model", card), card

    extra = {OBJECTIVE_TAG: run.recipe.pretraining.objective}
    return register_version(run, BASE, base, evidence, made, log, extra)


def _log(run: Run, child: str, directory: Path, card: Path) -> str:
    import mlflow
    from mlflow.models import Model

    tracker, objective = tracking.client(run.home), run.recipe.pretraining.objective
    with mlflow.start_run(run_id=child):
        if objective in _WITHOUT_PIPELINE:
            info = Model.log(artifact_path=None, name="model", flavor=_Directory, directory=directory)
        else:
            info = _log_pipeline(directory, objective)
            tracker.log_model_artifacts(info.model_id, str(directory), "model")
    tracker.log_model_artifact(info.model_id, str(card), "model")
    uri: str = info.model_uri
    return uri


def _log_pipeline(directory: Path, objective: str) -> Any:
    import mlflow
    from mlflow.models import infer_signature
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

    # It looks for a licence and a card on a hub; the card is ours and is added later.
    logging.getLogger("mlflow.transformers").setLevel(logging.ERROR)
    causal = objective == "causal_lm"
    kind = AutoModelForCausalLM if causal else AutoModelForMaskedLM
    parts = {
        "model": kind.from_pretrained(directory, local_files_only=True),
        "tokenizer": AutoTokenizer.from_pretrained(directory, local_files_only=True),
    }
    return mlflow.transformers.log_model(
        parts,
        name="model",
        task="text-generation" if causal else "fill-mask",
        signature=infer_signature(["a text"], ["a text"]),
        pip_requirements=pinned(),
    )


class _Directory:
    """What `Model.log` asks for in place of a module of MLflow: a model that is a directory and has no pipeline."""

    @staticmethod
    def save_model(path: str, mlflow_model: object, directory: Path) -> None:
        """Copy the directory to `model/` below `path`, as the transformers flavour does."""
        from mlflow.models import Model

        assert isinstance(mlflow_model, Model)
        shutil.copytree(directory, Path(path) / "model")
        mlflow_model.add_flavor("transformers_directory", path="model")
        mlflow_model.save(str(Path(path) / "MLmodel"))
