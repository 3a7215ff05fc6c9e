"""Runs as the tracking store and the home remember them: a list, newest first, and what differs between some.

The list shows the aliases that a version has now; a run's own documents say what it had when the run ended. A version
is compared as the run that registered it, cut down to the version's own task.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.reporting.comparison import HEAD, SHORT_RUN, compare, flatten, task_row
from lmforge.services.record import mlflow_address
from lmforge.wording import listed, nearest, shown
from tasks import registry, tracking
from tasks.context import BASE_REPORT, JOURNAL, SUMMARY
from tasks.pairing import is_stored, pair_task
from tasks.versions import named_version, version_facts

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities.model_registry import ModelVersion

    from lmforge.artifacts import Artifact

PIPELINE_RUNS = "tags.`lmforge.kind` = 'pipeline'"
PAGE = 1000
MIN_PREFIX = 4
LATEST = re.compile("latest(?:~([0-9]{1,9}))?")
CODE = {
    "git_commit": "mlflow.source.git.commit",
    "uncommitted_changes": "lmforge.git_dirty",
    "lmforge_version": "lmforge.version",
}


def list_runs(home: Home, recipe: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
    """The newest runs, of all recipes or of one. Raises InputError when no recipe of that name has run."""
    rows = []
    for run in _pipeline_runs(home, recipe, limit):
        facts = _facts(home, run)
        tasks = [task_row(document, _aliases(home, document)) for document in facts["tasks"]]
        more = {"overrides": run.data.tags.get("lmforge.overrides"), "language": facts["language"], "tasks": tasks}
        if base := facts["base"]:
            more["base"] = base | {"aliases": _aliases(home, base)}
        rows.append({key: facts[key] for key in HEAD} | more)
    return rows


def compare_runs(home: Home, names: Sequence[str]) -> dict[str, Any]:
    """What differs between runs or versions, and for two of them the paired gain of each task, second minus first.

    names: run ids, unique first characters of them, `latest` or `latest~N` (N runs before it); or versions, as
    NAME/VERSION, NAME@ALIAS or NAME for its champion.
    Raises InputError for fewer than two names and for a name that fits no run or version, or several.
    """
    if len(names) < 2:
        raise InputError("give at least two runs or versions, such as: lmforge compare latest~1 latest")
    known = {run.info.run_id: run for run in _pipeline_runs(home, None, None)}
    versions = [named_version(home, name.strip()) if known else None for name in names]
    runs = [_run_behind(name, one, known) for name, one in zip(names, versions, strict=True)]
    recipes = [tracking.logged(home, run.info.run_id, "recipe.json") for run in runs]
    facts = [_whole_facts(home, run, version) for run, version in zip(runs, versions, strict=True)]
    for run, one, recipe in zip(runs, facts, recipes, strict=True):
        # A run that was killed at its start has no recipe yet; then all are compared by their parameters.
        one["parameters"] = flatten(recipe) if all(recipes) else dict(run.data.params)
    environments = [tracking.logged(home, run.info.run_id, tracking.ENVIRONMENT) for run in runs]
    for one, environment in zip(facts, environments, strict=True):
        # Against a run before it was recorded every library would differ.
        one["environment"] = flatten(environment) if all(environments) else {}
    gains = _gains(facts[0], facts[1], recipes[1]) if len(runs) == 2 else {}
    return compare(facts) | {"gains": gains, "mlflow": _address(home, runs)}


def _run_behind(name: str, version: ModelVersion | None, known: Mapping[str, MlflowRun]) -> MlflowRun:
    if version is None:
        return known[_resolve(name, known)]
    run_id = version.tags.get("lmforge.pipeline_run", "")
    if run_id not in known:
        told = f"lmforge lineage {version.name}/{version.version}"
        raise InputError(
            f"{shown(name)}: its run {shown(run_id) or '(not recorded)'} is not in MLflow, so there is nothing to "
            f"compare; what is still known: {told}"
        )
    return known[run_id]


def _whole_facts(home: Home, run: MlflowRun, version: ModelVersion | None) -> dict[str, Any]:
    """The facts of a run with those of the versions that it registered; of a version, with its own task alone."""
    facts = _facts(home, run)
    for document in [*facts["tasks"], *filter(None, [facts["base"]])]:
        document["facts"] = version_facts(home, document["registered_model"], str(document["version"]))
    if version is None:
        return facts
    number = str(version.version)

    def is_own(one: Mapping[str, Any]) -> bool:
        return (one["registered_model"], str(one["version"])) == (version.name, number)

    tasks = [one for one in facts["tasks"] if is_own(one)]
    base = facts["base"] if facts["base"] and is_own(facts["base"]) else None
    others = {one["task"] for one in facts["tasks"]} - {one["task"] for one in tasks}
    own = {name: print for name, print in facts["stages"].items() if name.partition("-")[2] not in others}
    return facts | {"version": f"{version.name}/{number}", "tasks": tasks, "base": base, "stages": own}


def find_run(home: Home, name: str) -> tuple[str, str]:
    """The id and the recipe of the run that `name` means: the newest of a recipe of that name, else as `compare_runs`.

    Raises InputError when there is none.
    """
    known = {run.info.run_id: run for run in _pipeline_runs(home, None, None)}
    places = {run.info.experiment_id for run in known.values()}
    recipes = {place: str(tracking.client(home).get_experiment(place).name) for place in places}
    of_recipe = (run_id for run_id, run in known.items() if recipes[run.info.experiment_id] == name)
    run_id = next(of_recipe, None) or _resolve(name, known)
    return run_id, recipes[known[run_id].info.experiment_id]


def _pipeline_runs(home: Home, recipe: str | None, limit: int | None) -> list[MlflowRun]:
    """Newest first; nothing is created in a project that has never run."""
    if home.tracking_uri.startswith("sqlite:///") and not Path(home.tracking_uri.removeprefix("sqlite:///")).is_file():
        return []
    tracker = tracking.client(home.prepare())
    experiments = {one.name: one.experiment_id for one in tracker.search_experiments()}
    if recipe is not None and recipe not in experiments:
        # MLflow makes the experiment Default by itself.
        ran = sorted(experiments.keys() - {"Default"})
        near = nearest(recipe, ran)
        hint = f"did you mean {near}?" if near else f"recipes that have run: {listed(ran) or 'none'}"
        raise InputError(f"{shown(recipe)}: no recipe of this name has run; {hint}")
    places = [experiments[recipe]] if recipe is not None else list(experiments.values())
    found: list[MlflowRun] = []
    token: str | None = None
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        order = ["attributes.start_time DESC"]
        page = tracker.search_runs(places, PIPELINE_RUNS, max_results=size, order_by=order, page_token=token)
        found += page
        token = page.token
        if not token:
            break
    return found


def _resolve(name: str, known: Mapping[str, MlflowRun]) -> str:
    """The run id that `name` means among `known`, which is ordered newest first."""
    ids, text = list(known), name.strip().lower()
    if not ids:
        raise InputError("there are no runs yet; start one: lmforge run recipes/quickstart.yaml")
    if ago := LATEST.fullmatch(text):
        if (back := int(ago[1] or 0)) < len(ids):
            return ids[back]
        raise InputError(f"{text}: goes too far back; runs so far: {len(ids)}; list them: lmforge runs")
    found = [run_id for run_id in ids if run_id.startswith(text)]
    if len(text) < MIN_PREFIX:
        raise InputError(f"{shown(name)!r}: give at least {MIN_PREFIX} characters of a run id, or latest")
    if len(found) == 1:
        return found[0]
    if found:
        fitting = listed(found, limit=4)
        raise InputError(f"{shown(name)}: fits {len(found)} runs: {fitting}; give more characters, or see lmforge runs")
    raise InputError(f"{shown(name)}: no run has this id; {_nearest_runs(text, known)}; list them: lmforge runs")


def _nearest_runs(text: str, known: Mapping[str, MlflowRun]) -> str:
    size = max(SHORT_RUN, min(len(text), 32))
    short = {run_id[:size]: run_id for run_id in known}
    close = difflib.get_close_matches(text[:size], short, n=3, cutoff=0.0)
    return f"nearest: {', '.join(f'{one[:SHORT_RUN]} ({_started(known[short[one]])[:10]})' for one in close)}"


def _facts(home: Home, run: MlflowRun) -> dict[str, Any]:
    """What is compared of a run, as lmforge.reporting.comparison takes it, and `artifacts` by stage."""
    tags, info = run.data.tags, run.info
    summary = _summary(home, info.run_id)
    artifacts = {record["name"]: _artifact(record) for record in summary["stages"]}
    return {
        "run_id": info.run_id,
        "recipe": tracking.client(home).get_experiment(info.experiment_id).name,
        "started": _started(run),
        "seconds": (info.end_time - info.start_time) / 1000 if info.end_time else None,
        "status": info.status.lower(),
        "code": {label: tags[tag] for label, tag in CODE.items() if tag in tags},
        "stages": _between(tags, "stage.", ".fingerprint"),
        "timings": _between(run.data.metrics, "seconds/", ""),
        "tasks": summary["tasks"],
        "base": summary.get("base"),
        "language": _language(artifacts),
        "artifacts": artifacts,
    }


def _summary(home: Home, run_id: str) -> dict[str, Any]:
    """Stages and task documents so far: from the run's directory, or from MLflow when it ran elsewhere."""
    directory = home.runs / run_id
    if not directory.is_dir():
        return {"stages": [], "tasks": []} | tracking.logged(home, run_id, SUMMARY)
    tasks = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("task-*.json"))]
    journal = directory / JOURNAL
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True) if journal.is_file() else []
    # A run that was killed may have left half a line.
    stages = [json.loads(line) for line in lines if line.endswith("\n")]
    base = directory / BASE_REPORT
    return {
        "stages": stages,
        "tasks": tasks,
        "base": json.loads(base.read_text(encoding="utf-8")) if base.is_file() else None,
    }


def _artifact(record: Mapping[str, Any]) -> Artifact:
    from lmforge.artifacts import Artifact

    return Artifact(kind=record["kind"], path=Path(record["path"]), fingerprint=record["fingerprint"])


def _language(artifacts: Mapping[str, Artifact]) -> dict[str, float]:
    evidence = artifacts.get("evaluate-language")
    if evidence is None or not is_stored(evidence):
        return {}
    facts = evidence.manifest.facts
    floors = {f"floor/{name}_loss": value for name, value in facts["floors"].items()}
    return {f"val/{name}": value for name, value in facts["model"].items()} | floors


def _gains(first: Mapping[str, Any], second: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """For each task whose evidence differs, a paired comparison, or the reason why there is none."""
    before, after = first["artifacts"], second["artifacts"]
    gains = {}
    for document in second["tasks"]:
        name = document["task"]
        stage = f"evaluate-{name}"
        if stage in before.keys() & after.keys() and before[stage].fingerprint != after[stage].fingerprint:
            gains[name] = pair_task(before, after, document, recipe)
    return gains


def _aliases(home: Home, document: Mapping[str, Any]) -> list[str]:
    held = registry.aliases(home, document["registered_model"])
    return sorted(alias for alias, version in held.items() if version == str(document["version"]))


def _address(home: Home, runs: Sequence[MlflowRun]) -> dict[str, Any]:
    """The page of MLflow's user interface that compares the same runs, and whether it is up."""
    base, running = mlflow_address(home)
    ids = [run.info.run_id for run in runs]
    experiments = list(dict.fromkeys(run.info.experiment_id for run in runs))
    return {"url": f"{base}/#/compare-runs?runs={_query(ids)}&experiments={_query(experiments)}", "running": running}


def _query(values: list[str]) -> str:
    return quote(json.dumps(values, separators=(",", ":")), safe="")


def _started(run: MlflowRun) -> str:
    return datetime.fromtimestamp(run.info.start_time / 1000).astimezone().isoformat(timespec="seconds")


def _between(values: Mapping[str, Any], start: str, end: str) -> dict[str, Any]:
    return {
        key[len(start) : len(key) - len(end)]: one
        for key, one in values.items()
        if key.startswith(start) and key.endswith(end)
    }
