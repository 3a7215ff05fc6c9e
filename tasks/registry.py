"""The MLflow model registry: versions found by what they were made of, and aliases that say which is in use."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.release.states import State, check_transition, state_of
from lmforge.services.programs import is_remote
from lmforge.wording import listed, nearest, shown
from tasks import tracking
from tasks.reaching import is_outage, require_server

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous_champion"
EVIDENCE_TAG, STATE_TAG = "lmforge.evidence", "lmforge.state"
SCHEME = "models:/"


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


def model_tags(home: Home, name: str) -> dict[str, str]:
    """The tags of a registered model, not of its versions; empty if there is no such model."""
    from mlflow.exceptions import MlflowException

    try:
        held: dict[str, str] = tracking.client(home).get_registered_model(name).tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return held


def set_alias(home: Home, name: str, alias: str, version: str | None) -> None:
    """Point an alias at a version and read it back; None takes the alias away."""
    tracker = tracking.client(home)
    if version is None:
        tracker.delete_registered_model_alias(name, alias)
        return
    tracker.set_registered_model_alias(name, alias, version)
    assert str(tracker.get_model_version_by_alias(name, alias).version) == version, "the registry lost an alias"


def tag_version(home: Home, name: str, version: str, tags: Mapping[str, Any]) -> None:
    """Set tags of a version."""
    for key, value in tags.items():
        tracking.client(home).set_model_version_tag(name, version, key, str(value))


def move_state(home: Home, name: str, version: str, *states: State) -> None:
    """Take a version through states, one after another. Raises TransitionError for a step that the table lacks."""
    tags: dict[str, str] = tracking.client(home).get_model_version(name, version).tags
    current = state_of(tags.get(STATE_TAG))
    for wanted in states:
        check_transition(version, current, wanted)
        tag_version(home, name, version, {STATE_TAG: wanted})
        current = wanted


def version_of(home: Home, uri: str, default: str | None = None) -> ModelVersion:
    """The version that `NAME/VERSION` or `NAME@ALIAS` means, with `models:/` or without.

    default: the alias that a bare NAME means. Raises InputError if there is no such version, with the nearest name.
    """
    from mlflow.exceptions import MlflowException

    tracker, name = tracking.client(home), uri.removeprefix(SCHEME)
    if default and "@" not in name and "/" not in name:
        name += f"@{default}"
    try:
        if "@" in name:
            return tracker.get_model_version_by_alias(*name.rsplit("@", 1))
        return tracker.get_model_version(*name.rsplit("/", 1))
    except (MlflowException, TypeError) as error:
        if is_outage(error):
            raise
        reason = error.message if isinstance(error, MlflowException) else "write NAME/VERSION or NAME@ALIAS"
        raise InputError(f"{shown(uri)}: {shown(reason, 400)}; {_known(home, name)}") from error


def require_model(home: Home, name: str) -> None:
    """Raise InputError, with the nearest name, unless a model of this name is registered; see also `require_server`."""
    require_server(home)
    if not any(one.name == name for one in tracking.client(home).search_registered_models()):
        raise InputError(f"{shown(name)}: no model of this name is registered; {_known(home, name)}")


def model_directory(home: Home, uri: str) -> Path:
    """The transformers directory inside `models:/NAME/VERSION` or `models:/NAME@ALIAS`. Raises InputError if absent.

    What a server keeps is copied anew each time, and the copies are gone when this process ends.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    tracking.client(home)
    try:
        # MLflow's own default is a directory that nobody removes.
        place = tempfile.mkdtemp(dir=_copies().name) if is_remote(home.tracking_uri) else None
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=place)) / "model"
    except MlflowException as error:
        if is_outage(error):
            raise
        raise InputError(f"{uri}: {error.message}; {_known(home, uri.removeprefix(SCHEME))}") from error


@cache
def _copies() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="lmforge-models-")


def _known(home: Home, given: str) -> str:
    known = sorted({one.name for one in tracking.client(home).search_registered_models()})
    if not known:
        return "no model is registered yet: run a recipe first"
    name = given.split("@")[0].split("/")[0]
    if name in known:
        return f"{name} has the versions {listed([str(one.version) for one in versions(home, name)])}"
    close = nearest(name, known)
    return f"{f'did you mean {close}? ' if close else ''}registered models: {listed(known)}"
