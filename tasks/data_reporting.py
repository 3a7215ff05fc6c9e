"""Which run's data a person means, and the page about them: in the run's directory and in MLflow."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from prefect import task as prefect_task
from prefect.cache_policies import NO_CACHE

from lmforge.artifacts import Artifact
from lmforge.artifacts.artifact import MANIFEST
from lmforge.artifacts.store import verify
from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.recipe import Recipe, load_recipe
from lmforge.wording import shown
from tasks import tracking
from tasks.context import JOURNAL, Run, StageRecord

logger = logging.getLogger("lmforge.report")

PAGE = "data_report.html"
_DATA_DOCS = "data_docs.html"


class DataRun(NamedTuple):
    """A run of the past: its recipe's name, its directory, and the data artifacts that it made or reused, by stage."""

    recipe: str
    run_id: str
    directory: Path
    made: dict[str, Artifact]


@prefect_task(name="report-data", cache_policy=NO_CACHE)
def report_data(run: Run, made: Mapping[str, Artifact]) -> None:
    """The page about the data in the run's directory and among its artifacts in MLflow.

    made: artifacts by stage, as the data stages gave them.
    """
    from lmforge.reporting.data_report import render_data_report

    found = DataRun(run.recipe.name, run.run_id, run.directory, _data(made))
    document = write_page(found, run.directory / PAGE)
    docs = {suite["stage"]: f"data_docs/{quote(suite['stage'])}/{_DATA_DOCS}" for suite in document["suites"]}
    tracking.client(run.home).log_text(run.run_id, render_data_report(document, docs), PAGE)
    logger.info("the data of this run on one page: %s", run.directory / PAGE)


def find_data(home: Home, named: str | None = None) -> DataRun:
    """The data of the run that `named` means: a recipe's file or name (its newest run), a run id, or `latest~N`.

    Artifacts are verified. Raises InputError for a recipe that never ran, an unknown run, and a run whose data are not
    in this home; IntegrityError for damaged artifacts.
    """
    from tasks.comparing import find_run

    path = _recipe_file(named)
    wanted = load_recipe(path).name if path else named or "latest"
    again = f"lmforge run {shown(named)}" if path and named else "lmforge run RECIPE"
    try:
        run_id, recipe = find_run(home, wanted)
    except InputError:
        if path is None:
            raise
        recipe = None
    if path and recipe != wanted:
        raise InputError(f"{shown(str(path))} has not run yet; start it: {again}")
    assert recipe is not None
    directory = home.runs / run_id
    if not directory.is_dir():
        raise InputError(f"run {run_id} of {shown(recipe)} was not made in {home.path}; its data are not here")
    return DataRun(recipe, run_id, directory, _verified(directory, again))


def recipe_of(home: Home, found: DataRun, named: str | None) -> Recipe:
    """The recipe as its file stands now, where `named` is one; else as the run had it."""
    if path := _recipe_file(named):
        return load_recipe(path)
    import mlflow

    tracking.client(home)
    return Recipe.model_validate(mlflow.artifacts.load_dict(f"runs:/{found.run_id}/recipe.json"))


def batch_of(home: Home, found: DataRun, named: str | None, split: str, step: int, num_rows: int) -> dict[str, Any]:
    """Rows of one batch as `peek_batch` shows them; raises InputError for a run that has not tokenized its corpus."""
    from lmforge.reporting.batch_peeking import peek_batch

    if "tokenize" not in found.made:
        raise InputError(f"run {found.run_id} has not tokenized its corpus; run its recipe to the end of that stage")
    tokens = found.made["tokenize"].path
    return peek_batch(recipe_of(home, found, named), tokens, split=split, step=step, num_rows=num_rows)


def _recipe_file(named: str | None) -> Path | None:
    return Path(named) if named and (named.endswith((".yaml", ".yml")) or Path(named).is_file()) else None


def write_page(found: DataRun, target: Path) -> dict[str, Any]:
    """Write the page to `target`, with links to the Data Docs where they lie now; return its document.

    Raises InputError where the file cannot be written.
    """
    from lmforge.reporting.data_report import data_report, render_data_report
    from lmforge.reporting.data_report_stages import read_stages

    reports = found.directory / "reports"
    document = data_report(found.recipe, found.run_id, found.made, reports)
    base = target.resolve().parent
    pages = {one.name: one.page for one in read_stages(found.made, reports) if one.page}
    links = {shown(name): quote(Path(os.path.relpath(page.resolve(), base)).as_posix()) for name, page in pages.items()}
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.write_text(render_data_report(document, links), encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise InputError(f"cannot write to {shown(str(target), 200)}: {error.strerror}") from error
    return document


def _data(made: Mapping[str, Artifact]) -> dict[str, Artifact]:
    from lmforge.reporting.data_report_stages import KINDS

    return {name: artifact for name, artifact in made.items() if artifact.kind in KINDS}


def _verified(directory: Path, again: str) -> dict[str, Artifact]:
    journal = directory / JOURNAL
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True) if journal.is_file() else []
    # A run that was killed may have left half a line.
    records = [StageRecord.model_validate_json(line) for line in lines if line.endswith("\n")]
    made = {one.name: Artifact(kind=one.kind, path=one.path, fingerprint=one.fingerprint) for one in records}
    for name, artifact in _data(made).items():
        if not (artifact.path / MANIFEST).is_file():
            raise InputError(f"what stage {name} made is no longer in the store; make it again: {again}")
        verify(artifact)
    return _data(made)
