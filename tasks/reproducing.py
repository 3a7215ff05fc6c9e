"""Run the recipe of a registered version once more, in a home of its own, and compare what comes out file by file.

Nothing of the project's home is written to: the second run registers and promotes in a registry that is thrown away
with its directory. The code is what is installed now; where it differs from the first run's, the report says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

import lmforge
from lmforge import __version__
from lmforge.artifacts import Artifact, Manifest
from lmforge.errors import InputError, LmforgeError
from lmforge.hashing import hash_file
from lmforge.home import Home
from lmforge.pipeline import stages as stages_of
from lmforge.recipe import Recipe
from lmforge.release.drifting import drift_between
from lmforge.release.environment import differences, environment
from lmforge.release.execution import recorded_execution, with_execution
from lmforge.release.lineage import TracedStage
from lmforge.release.reproduction import ComparedFile, compare_sources, compare_stages
from lmforge.sources.base import source_name
from lmforge.starting import Start
from tasks import lineage, registry, tracking
from tasks.starting import resolve

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

# After SIGTERM a run finishes its step and writes a checkpoint.
STOP_SECONDS = 60.0
# Where else the second run would report to, or read from.
_ELSEWHERE = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PREFECT_API_URL")
_CODE = Path(lmforge.__file__).parent.parent
_WEIGHTS = "model.safetensors"


def reproduce(
    home: Home, model: str, command: Sequence[str], say: Callable[[str], None], *, despite_sources: bool = False
) -> dict[str, Any]:
    """One document: `status` (equal, different or sources differ), `first_difference`, `stages` with their files.

    command: what runs a recipe, whose path and `--json` are added. say: told what happens now. Where sources differ
    nothing is run, unless despite_sources. Raises InputError for a version that is not there or whose run left no
    recipe, LmforgeError when the second run does not get through.
    """
    facts = lineage.lineage_of(home, model)
    version = registry.version_of(home, f"{facts['model']}/{facts['version']}")
    stages = [TracedStage.model_validate(one) for one in facts["stages"]]
    settings = _settings(facts)
    resolved, start = resolve(home, _validated(settings))
    sources = compare_sources(_read(facts), _places(home, resolved, start, facts))
    document = _head(home, facts) | {"sources": [one.model_dump() for one in sources]}
    changed = [one for one in sources if one.state != "equal"]
    say(f"{len(sources)} source files compared, {len(changed)} differ")
    if changed and not despite_sources:
        first = _first_reader(changed, stages)
        return document | {"status": "sources differ", "first_difference": first, "stages": [], "released": None}
    # A server that is on its way out may still write.
    with tempfile.TemporaryDirectory(prefix="lmforge-reproduce-", ignore_cleanup_errors=True) as scratch:
        fresh = Home(project=home.project, path=Path(scratch).resolve())
        path = _write(home, fresh, _repeatable(home, settings, start, stages))
        say(f"{facts['model']} version {facts['version']} is made again in {fresh.path}")
        summary = _run([*command, str(path), "--json"], _environment(home, fresh, facts["environment"]), home.project)
        return document | _verdict(home, version, stages, summary, changed)


def _verdict(
    home: Home,
    version: ModelVersion,
    stages: Sequence[TracedStage],
    summary: Mapping[str, Any],
    changed: Sequence[ComparedFile],
) -> dict[str, Any]:
    made = {one["name"]: Path(one["path"]) for one in summary["stages"]}
    compared = compare_stages(stages, {name: _manifest(path) for name, path in made.items()})
    differing = [one for one in compared if one.state != "equal"]
    released = _released(home, version, made)
    first: dict[str, Any] | None = None
    if differing:
        names = [one.name for one in differing[0].differing()]
        first = {"stage": differing[0].name, "what": names, "same_code": differing[0].same_code}
        first["drift"] = _drift(stages, differing[0].name, made)
    elif released["state"] != "equal":
        first = {"stage": "register", "what": [released["name"]], "same_code": None}
    if changed:
        first = _first_reader(changed, stages)
    return {
        "status": "different" if first else "equal",
        "first_difference": first,
        "stages": [one.model_dump() for one in compared],
        "released": released,
    }


def _drift(stages: Sequence[TracedStage], name: str, made: Mapping[str, Path]) -> dict[str, Any] | None:
    """How far the weights of a training are apart; None for other stages, and where an artifact is gone."""
    then = next((one.path for one in stages if one.name == name), None)
    found = drift_between(then, made[name]) if then and name in made else None
    return found.model_dump() | {"words": found.words} if found else None


def _head(home: Home, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Which version it is, and what is different around the second run."""
    then, now = facts["code"], lineage.code_of(tracking.git_tags(home.project) | {"lmforge.version": __version__})
    # What was changed and not committed is not known, so such a commit says nothing.
    known = then["commit"] is not None and not then["dirty"] and not now["dirty"]
    recorded = facts["environment"]
    return {
        "model": facts["model"],
        "version": facts["version"],
        "run_id": facts["run_id"],
        "code": {"then": then, "now": now, "same": then["commit"] == now["commit"] if known else None},
        "environment": differences(recorded, environment(_CODE)) if recorded else None,
        "missing": facts["missing"],
    }


def _settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of the run as a recipe can be written."""
    if facts["recipe"]["settings"] is None:
        name = f"{facts['model']}/{facts['version']}"
        raise InputError(f"{name}: its run left no recipe.json, so there is nothing to run again; see lmforge lineage")
    settings = dict(facts["recipe"]["settings"])
    if settings["model"].get("start_from") and settings.get("corpus"):
        settings.pop("tokenizer", None)  # it is the start's own, and a run writes all defaults down
    return settings


def _validated(settings: Mapping[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        raise InputError(
            f"the recipe of that run no longer fits: {error}; check out the commit that lmforge lineage names"
        ) from error


def _read(facts: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["sha256"] for one in facts["sources"]}


def _places(home: Home, recipe: Recipe, start: Start | None, facts: Mapping[str, Any]) -> dict[str, Path]:
    """Where the files are that the run read, and those that its recipe names today."""
    stored = {one["name"] for one in facts["stages"] if one["stored"]}
    places = {one["name"]: home.project / one["name"] for one in facts["sources"] if one["kind"] == "file"}
    for stage in stages_of(recipe, start).values():
        if stage.name in stored:
            places |= stage.given
            # Where one is gone, the stage cannot list them; those that the run read are compared all the same.
            with suppress(InputError):
                places |= {source_name(path, home.project): path for path in stage.paths(home.project)}
    return places


def _first_reader(changed: Sequence[ComparedFile], stages: Sequence[TracedStage]) -> dict[str, Any]:
    """The first stage that reads one of the files, with all of those that it reads."""
    names = {one.name for one in changed}
    for stage in stages:
        found = sorted(names & {one.role.removeprefix("file:") for one in stage.inputs})
        if found:
            return {"stage": stage.name, "what": found, "same_code": None}
    return {"stage": None, "what": sorted(names), "same_code": None}


def _repeatable(
    home: Home, settings: Mapping[str, Any], start: Start | None, stages: Sequence[TracedStage]
) -> dict[str, Any]:
    """The recipe with the recorded choices of each training, and a start that needs no registry."""
    chosen = {}
    for stage in stages:
        own = [home.path / "training" / f"{stage.name}-{stage.key}"]
        if found := recorded_execution([stage.path / "logs", *own] if stage.path else own):
            chosen[stage.name] = found
    document = with_execution(settings, chosen)
    if start:
        document["model"]["start_from"] = str(start.directory)
        if start.replay:
            document["pretraining"]["replay"]["tokens"] = str(start.replay)
    return document


def _write(home: Home, fresh: Home, document: Mapping[str, Any]) -> Path:
    """Fill the new home with the recipe, whose path is returned, and with what was fetched for it."""
    if (downloads := home.path / "downloads").is_dir():
        shutil.copytree(downloads, fresh.path / "downloads", copy_function=_link)
    path = fresh.path / "recipe.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)  # a download is replaced, never written into
    except OSError:
        shutil.copy2(source, target)


def _environment(home: Home, fresh: Home, recorded: Mapping[str, Any] | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    paths = [str(_CODE), *filter(None, [os.environ.get("PYTHONPATH")])]
    # What the run starts from lies in the first home.
    roots = [str(home.path), *filter(None, [os.environ.get("LMFORGE_DATA_ROOTS")])]
    kept |= {
        "LMFORGE_HOME": str(fresh.path),
        "PYTHONPATH": os.pathsep.join(paths),
        "LMFORGE_DATA_ROOTS": os.pathsep.join(roots),
    }
    if recorded:
        kept.pop("OMP_NUM_THREADS", None)
        kept |= {"OMP_NUM_THREADS": recorded["omp_num_threads"]} if recorded["omp_num_threads"] else {}
    return kept


def _run(command: Sequence[str], environment: Mapping[str, str], project: Path) -> dict[str, Any]:
    """What the run prints as its document; its progress goes where ours goes."""
    process = subprocess.Popen(command, env=environment, cwd=project, stdout=subprocess.PIPE, text=True)
    try:
        printed, _ = process.communicate()
    except BaseException:
        _stop(process)
        raise
    if process.returncode:
        raise LmforgeError(f"the second run ended with exit code {process.returncode}: {_said(printed)}")
    document: dict[str, Any] = json.loads(printed)
    return document


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _said(printed: str) -> str:
    try:
        return str(json.loads(printed)["error"])
    except (ValueError, KeyError):
        return "see above"


def _manifest(place: Path) -> Manifest:
    return Artifact(kind="", path=place, fingerprint="").manifest


def _released(home: Home, version: ModelVersion, made: Mapping[str, Path]) -> dict[str, Any]:
    """The weights in the registry beside those of the second run."""
    stage = next(
        (name for name in made if version.tags.get(f"lmforge.{name}") == version.tags.get("lmforge.model")), None
    )
    directory = registry.model_directory(home, f"{registry.SCHEME}{version.name}/{version.version}")
    then = hash_file(directory / _WEIGHTS)
    again = made[stage] / "model" / _WEIGHTS if stage else None
    now = hash_file(again) if again and again.is_file() else None
    return {"name": _WEIGHTS, "state": "equal" if then == now else "different", "then": then, "now": now}
