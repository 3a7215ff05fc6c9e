"""The MLflow model registry: versions found by what they were made of, and aliases that say which is in use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmforge.errors import InputError
from lmforge.home import Home
from tasks import tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
EVIDENCE_TAG = "lmforge.evidence"


def find_version(home: Home, name: str, evidence: str) -> ModelVersion | None:
    """The version that was registered with this evidence, if any."""
    found = [one for one in versions(home, name) if one.tags.get(EVIDENCE_TAG) == evidence]
    return found[0] if found else None


def versions(home: Home, name: str) -> list[ModelVersion]:
    """All versions of a registered model, newest first; none if there is no such model."""
    listed = tracking.client(home).search_model_versions(f"name = '{name}'")
    return sorted(listed, key=lambda one: -int(one.version))


def aliases(home: Home, name: str) -> dict[str, str]:
    """Alias to version of a registered model; empty if there is no such model."""
    from mlflow.exceptions import MlflowException

    try:
        held: dict[str, str] = tracking.client(home).get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return {alias: str(version) for alias, version in held.items()}


def set_alias(home: Home, name: str, alias: str, version: str) -> None:
    """Point an alias at a version and read it back."""
    tracker = tracking.client(home)
    tracker.set_registered_model_alias(name, alias, version)
    assert str(tracker.get_model_version_by_alias(name, alias).version) == version, "the registry lost an alias"


def tag_version(home: Home, name: str, version: str, tags: Mapping[str, Any]) -> None:
    """Set tags of a version."""
    for key, value in tags.items():
        tracking.client(home).set_model_version_tag(name, version, key, str(value))


def model_directory(home: Home, uri: str) -> Path:
    """The transformers directory inside `models:/NAME/VERSION` or `models:/NAME@ALIAS`. Raises InputError if absent."""
    import mlflow
    from mlflow.exceptions import MlflowException

    tracking.client(home)
    try:
        return Path(mlflow.artifacts.download_artifacts(uri)) / "model"
    except MlflowException as error:
        known = sorted({one.name for one in tracking.client(home).search_registered_models()})
        there = f"registered models: {', '.join(known)}" if known else "no model is registered yet: run a recipe first"
        raise InputError(f"{uri}: {error.message}; {there}") from error
