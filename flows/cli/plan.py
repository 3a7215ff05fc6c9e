"""`lmforge plan`: what a run would do, and why."""

from __future__ import annotations

import typer

from flows.cli.common import Json, Overrides, RecipePath, emit
from lmforge.home import Home


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(plan)


def plan(recipe: RecipePath, overrides: Overrides = None, json: Json = False) -> None:
    """Example: lmforge plan recipes/quickstart.yaml --set tasks.section.finetuning.learning_rate=1e-3

    List each stage as cached or to run, and why.
    """
    from lmforge.planning import plan_stages
    from lmforge.recipe import load_recipe
    from tasks.starting import resolve

    home = Home.find()
    loaded, start = resolve(home, load_recipe(recipe, overrides or ()))
    rows = plan_stages(loaded, home, start)
    document = {
        "recipe": str(recipe), "start": start.name if start else None, "stages": [row._asdict() for row in rows],
    }  # fmt: skip

    def words() -> None:
        if start:
            print(f"starts from {start.name} ({loaded.model.architecture}, {start.directory})")
        for row in rows:
            print(f"{row.name:<22} {'cached' if row.cached else 'to run':<7} {row.why}")

    emit(document, json, words)
