"""The data stages alone: a scheduled feed can be collected, cleaned and validated without training on it."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows import chain
from tasks.runs import summarize, tracked_run


@flow(name="prepare", flow_run_name="{recipe}")
def prepare(recipe: str = "recipes/quickstart.yaml", overrides: list[str] | None = None) -> dict[str, Any]:
    """Label, collect, clean and tokenize the text of a recipe, each behind its suite."""
    with tracked_run(recipe, overrides) as run:
        chain.prepare(run)
        return summarize(run)
