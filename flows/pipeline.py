"""The whole chain: from the text that a recipe names to a model version in the registry, promoted on evidence."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows import chain
from tasks.runs import summarize, tracked_run


@flow(name="pipeline", flow_run_name="{recipe}")
def pipeline(recipe: str = "recipes/quickstart.yaml", overrides: list[str] | None = None) -> dict[str, Any]:
    """Run every stage of a recipe whose result the store lacks.

    recipe: path of a recipe, relative to the project. overrides: `key.sub=value`, each replacing a value of the recipe.
    """
    with tracked_run(recipe, overrides) as run:
        prepared = chain.prepare(run)
        language = chain.pretrain(run, prepared)
        chain.release_base(run, language)
        for task in run.recipe.tasks:
            made = chain.finetune(run, task, language)
            chain.release(run, task, made)
        return summarize(run)
