"""`lmforge validate`: is a recipe right, and is its data there?"""

from __future__ import annotations

import typer

from flows.cli.common import Json, Overrides, RecipePath, emit
from lmforge.home import Home


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(validate)
    app.command()(schema)


def validate(recipe: RecipePath, overrides: Overrides = None, json: Json = False) -> None:
    """Example: lmforge validate recipes/quickstart.yaml

    Check a recipe against its schema and that every file it names is there. Nothing is run.
    """
    from lmforge.errors import NotFetchedError
    from lmforge.pipeline import stages
    from lmforge.recipe import load_recipe
    from tasks.starting import resolve

    home = Home.find()
    loaded, start = resolve(home, load_recipe(recipe, overrides or ()))
    chain = stages(loaded, start)
    found: set[str] = set()
    waiting = []
    for stage in chain.values():
        try:
            found.update(str(path) for path in [*stage.paths(home.project), *stage.given.values()])
        except NotFetchedError as error:
            waiting.append(str(error))
    document = {
        "recipe": str(recipe), "valid": True, "name": loaded.name, "stages": list(chain), "files": sorted(found),
        "not_fetched": waiting, "start": start.name if start else None,
    }  # fmt: skip
    words = [f"{recipe}: valid; {len(chain)} stages, {len(found)} files to read", *waiting]
    if start:
        words.append(f"starts from {start.name} ({loaded.model.architecture}, {start.directory})")
    emit(document, json, lambda: print("\n".join(words)))


def schema(json: Json = False) -> None:
    """Example: lmforge schema > recipe.schema.json

    The JSON Schema of recipes, for editors.
    """
    import json as json_module

    from lmforge.recipe.loading import recipe_schema

    print(json_module.dumps(recipe_schema(), indent=2))
