"""The form that all stages share: look the result up, else build and publish it, then say so everywhere.

A task returns a Prefect state, so that a reused stage shows as `Reused` in the UI; calling the task gives the artifact.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome, watched
from lmforge.explaining import REUSED, why_run
from lmforge.reporting.lines import stage_line
from tasks import tracking
from tasks.context import Run, StageRecord, fingerprints

logger = logging.getLogger("lmforge.stage")


class StageTask(Task[Any, Any]):
    """A Prefect task whose call gives the artifact inside the state that it returned."""

    def __call__(self, *args: Any, **kwargs: Any) -> Artifact:  # type: ignore[override]
        returned = super().__call__(*args, **kwargs)
        artifact: Artifact = returned.result() if isinstance(returned, State) else returned
        return artifact


def stage_task(function: Callable[..., State[Artifact]]) -> StageTask:
    """Make a function that ends in `make` a Prefect task; the store decides what is reused, Prefect's cache is off."""
    return StageTask(function, name=function.__name__.replace("_", "-"), cache_policy=NO_CACHE, persist_result=False)


def make(run: Run, name: str, inputs: Mapping[str, Artifact], build: Callable[[Path], Outcome]) -> State[Artifact]:
    """The artifact of stage `name` from the artifacts of its input stages, built only if the store lacks it."""
    started = time.monotonic()
    stage, made = run.stage(name), fingerprints(inputs)
    request, build = watched(lambda: stage.request(made, run.home.project), build)
    why = why_run(run.store, request)
    logger.debug("%s %s", name, request.key)
    artifact, cached = run.store.get_or_build(request, build)
    manifest = artifact.manifest
    record = StageRecord(
        name=name,
        kind=artifact.kind,
        key=request.key,
        fingerprint=artifact.fingerprint,
        cached=cached,
        seconds=round(time.monotonic() - started, 3),
        why=REUSED if cached else why,
        counts=manifest.counts,
        size_bytes=manifest.size_bytes,
        path=artifact.path,
    )
    run.append(record)
    tracking.log_stage(run, record, manifest)
    line = stage_line(record.model_dump())
    logger.info(line)
    return Completed(name="Reused" if cached else "Completed", message=line, data=artifact)
