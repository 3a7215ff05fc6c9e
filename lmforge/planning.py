"""What a run of a recipe would do with the store as it is, without doing it."""

from __future__ import annotations

from typing import NamedTuple

from lmforge.artifacts import Store
from lmforge.errors import IntegrityError, NotFetchedError
from lmforge.explaining import REUSED, why_run
from lmforge.home import Home
from lmforge.pipeline import stages
from lmforge.recipe import Recipe
from lmforge.starting import Start


class PlannedStage(NamedTuple):
    """One row of a plan. `key` is None while an input has still to be made."""

    name: str
    cached: bool
    why: str
    key: str | None


def plan_stages(recipe: Recipe, home: Home, start: Start | None = None) -> list[PlannedStage]:
    """Every stage in order. A stage behind one that has to run is to run too: its input is not known yet.

    It may turn out to be cached all the same, when the new input has the old content. start: what the recipe starts
    from, as `tasks.starting` finds it.
    """
    store, known, rows = Store(home.store), dict[str, str](), list[PlannedStage]()
    for stage in stages(recipe, start).values():
        waiting = [name for name in stage.inputs.values() if name not in known]
        if waiting:
            rows.append(PlannedStage(stage.name, False, f"after {', '.join(waiting)}", None))
            continue
        try:
            request = stage.request(known, home.project)
        except NotFetchedError as error:
            rows.append(PlannedStage(stage.name, False, str(error), None))
            continue
        try:
            artifact = store.find(request)
            why = REUSED if artifact else why_run(store, request)
        except IntegrityError as error:
            artifact, why = None, str(error)
        if artifact:
            known[stage.name] = artifact.fingerprint
        rows.append(PlannedStage(stage.name, artifact is not None, why, request.key))
    return rows
