"""Up to the base model and its release: a long pre-training can be scheduled apart from the tasks that build on it."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows import chain
from tasks.runs import summarize, tracked_run


@flow(name="pretrain", flow_run_name="{recipe}")
def pretrain(recipe: str = "recipes/quickstart.yaml", overrides: list[str] | None = None) -> dict[str, Any]:
    """Prepare the text of a recipe, pre-train its base model, and release that where the recipe says so."""
    with tracked_run(recipe, overrides) as run:
        made = chain.pretrain(run, chain.prepare(run))
        chain.release_base(run, made)
        return summarize(run)
