"""What a registered version was made of: its tags and the record of the run that made it, then the store backwards.

The run says under which recipe, commit and libraries the version was put together. A stage that the run took from the
store may be older than its commit; then the stage's own `code` hash is what it was made with.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmforge.artifacts import Store
from lmforge.errors import InputError
from lmforge.hashing import hash_value
from lmforge.home import Home
from lmforge.release.lineage import Recorded, TracedStage, missing, trace
from lmforge.release.origins import source_files
from tasks import registry, tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_FINGERPRINT = re.compile("[0-9a-f]{64}")
_PREFIX = "lmforge."
# They name again what the stages finetune-TASK and evaluate-TASK made.
_SECOND_NAMES = ("model", "evidence")


def find_version(home: Home, model: str) -> ModelVersion:
    """The version that NAME (its champion), NAME@ALIAS or NAME/VERSION means. Raises InputError if there is none."""
    return registry.version_of(home, model, default=registry.CHAMPION)


def _traced_stages(home: Home, version: ModelVersion) -> list[TracedStage]:
    """The stages behind a version, each after those that it reads."""
    told = {name.removeprefix(_PREFIX): value for name, value in version.tags.items() if name.startswith(_PREFIX)}
    prints = {name: value for name, value in told.items() if _FINGERPRINT.fullmatch(value)}
    tags = _run_tags(home, version)
    names = [key[len("stage.") : -len(".key")] for key in tags if key.startswith("stage.") and key.endswith(".key")]
    recorded = {name: Recorded(tags[f"stage.{name}.fingerprint"], tags[f"stage.{name}.key"]) for name in names}
    made = {name: one for name, one in prints.items() if name not in _SECOND_NAMES and _is_stage(name, recorded)}
    # What the version itself says wins over what its run says.
    own = {
        name: Recorded(one, recorded[name].key if name in recorded and recorded[name].fingerprint == one else None)
        for name, one in made.items()
    }
    return trace(Store(home.store), own, recorded | own)


def lineage_of(home: Home, model: str) -> dict[str, Any]:
    """One document: `recipe`, `code`, `environment`, `stages`, `sources` and what is `missing`.

    Raises InputError for a model that is not registered.
    """
    version = find_version(home, model)
    stages, tags = _traced_stages(home, version), _run_tags(home, version)
    recipe = _recipe_of(home, version)
    gone = missing(stages)
    if not tags:
        gone.append(f"the run {_run_of(version) or '(not recorded)'}: not in MLflow, so recipe and commit are unknown")
    return {
        "model": version.name,
        "version": str(version.version),
        "run_id": _run_of(version),
        "recipe": {
            "path": version.tags.get("lmforge.recipe"),
            "overrides": tags.get("lmforge.overrides"),
            "sha256": hash_value(recipe) if recipe else None,
            "settings": recipe,
        },
        "start": tags.get("lmforge.start"),
        "code": code_of(tags),
        "environment": _environment_of(version),
        "stages": [stage.model_dump(mode="json") for stage in stages],
        "sources": source_files(stages),
        "missing": gone,
    }


def _run_of(version: ModelVersion) -> str | None:
    """The id of the pipeline run that registered a version."""
    named: str | None = version.tags.get("lmforge.pipeline_run")
    return named


def _recipe_of(home: Home, version: ModelVersion) -> dict[str, Any] | None:
    """The recipe of the run that registered a version, overrides included; None where the run left none."""
    tracking.client(home)
    return _logged(version, "recipe.json")


def _environment_of(version: ModelVersion) -> dict[str, Any] | None:
    """What `lmforge.release.environment` recorded of that run; None for a run before it was recorded."""
    return _logged(version, tracking.ENVIRONMENT)


def write_documents(lineage: Mapping[str, Any], output: Path | None) -> int:
    """Write what a version learned from, a JSON document a line, to a file or to standard output; return how many.

    Raises InputError where the file cannot be written, or an artifact is no longer there.
    """
    from lmforge.release.lineage import TracedStage
    from lmforge.release.origins import documents

    rows = documents([TracedStage.model_validate(one) for one in lineage["stages"]])
    try:
        with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as file:
            return sum(file.write(json.dumps(row, ensure_ascii=False) + "\n") > 0 for row in rows)
    except BrokenPipeError:
        raise
    except OSError as error:
        where = output or "standard output"
        raise InputError(
            f"{where}: cannot be written: {error.strerror}; name a file in a directory of yours"
        ) from error


def code_of(tags: Mapping[str, str]) -> dict[str, Any]:
    """Commit and whether there were changes to it, as a run's tags have them; None where there was no repository."""
    dirty = tags.get("lmforge.git_dirty")
    return {
        "commit": tags.get("mlflow.source.git.commit"),
        "dirty": None if dirty is None else dirty == "true",
        "version": tags.get("lmforge.version"),
    }


def _is_stage(name: str, recorded: Mapping[str, Recorded]) -> bool:
    """Other tags hold hashes as well, such as that of a gate."""
    known = ("collect", "clean", "tokenize", "pretrain", "evaluate-language")
    return name in recorded or name in known or name.startswith(("label-", "finetune-", "evaluate-"))


def _run_tags(home: Home, version: ModelVersion) -> dict[str, str]:
    from mlflow.exceptions import MlflowException

    run_id = _run_of(version)
    if run_id is None:
        return {}
    try:
        tags: dict[str, str] = tracking.client(home).get_run(run_id).data.tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return tags


def _logged(version: ModelVersion, name: str) -> dict[str, Any] | None:
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        document: dict[str, Any] = mlflow.artifacts.load_dict(f"runs:/{_run_of(version)}/{name}")
    except (MlflowException, OSError):
        return None
    return document
