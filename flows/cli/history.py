"""`lmforge runs` and `lmforge compare`: what ran, and what differs between runs."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.common import Json, emit
from lmforge.home import Home

RecipeName = Annotated[
    str | None, typer.Argument(metavar="RECIPE_NAME", help="The `name` in a recipe: only its runs.", show_default=False)
]
Limit = Annotated[int, typer.Option(help="At most so many runs.", min=1)]
Timings = Annotated[bool, typer.Option("--timings", help="Also the seconds of each stage.")]
Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN", help="Run id or its first characters, latest, or latest~1.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(runs)
    app.command()(compare)


def runs(recipe_name: RecipeName = None, limit: Limit = 20, json: Json = False) -> None:
    """Example: lmforge runs reviews --limit 5

    List the runs, newest first.
    """
    from lmforge.reporting.comparison import render_runs
    from tasks.comparing import list_runs

    document = {"runs": list_runs(Home.find(), recipe_name, limit)}
    emit(document, json, lambda: print(render_runs(document["runs"])))


def compare(run_names: Runs, timings: Timings = False, json: Json = False) -> None:
    """Example: lmforge compare latest~1 latest

    Show what differs between runs: recipe, stages, code, metrics and verdicts.
    """
    from lmforge.reporting.comparison import render_comparison
    from tasks.comparing import compare_runs

    document = compare_runs(Home.find(), run_names)
    emit(document, json, lambda: print(render_comparison(document, timings)))
