"""Up to the base model: a long pre-training can be scheduled apart from the tasks that build on it."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows import chain
from tasks.runs import summarize, tracked_run


@flow(name="pretrain", flow_run_name="{recipe}")
def pretrain(recipe: str = "recipes/quickstart.yaml", overrides: list[str] | None = None) -> dict[str, Any]:
    """Prepare the text of a recipe and pre-train its base model."""
    with tracked_run(recipe, overrides) as run:
        chain.pretrain(run, chain.prepare(run))
        return summarize(run)
