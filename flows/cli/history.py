"""`lmforge runs`, `compare` and `history`: what ran, what differs between them, and what was in production when."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.common import Json, emit
from lmforge.errors import IntegrityError
from lmforge.home import Home

RecipeName = Annotated[
    str | None, typer.Argument(metavar="RECIPE_NAME", help="The `name` in a recipe: only its runs.", show_default=False)
]
Limit = Annotated[int, typer.Option(help="At most so many runs.", min=1)]
Timings = Annotated[bool, typer.Option("--timings", help="Also the seconds of each stage.")]
Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="Run id or its first characters, latest, latest~1; or a version: NAME/2, NAME@challenger, NAME.",
        show_default=False,
    ),
]

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="Name of a registered model.", show_default=False)]
At = Annotated[str | None, typer.Option(metavar="DATE", help="2026-03-01, or a moment such as 2026-03-01T14:30.")]
Verify = Annotated[bool, typer.Option("--verify", help="Check the chain of hashes, its copy and the alias.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(runs)
    app.command()(compare)
    app.command()(history)


def runs(recipe_name: RecipeName = None, limit: Limit = 20, json: Json = False) -> None:
    """Example: lmforge runs reviews --limit 5

    List the runs, newest first.
    """
    from lmforge.reporting.comparison import render_runs
    from tasks.comparing import list_runs

    document = {"runs": list_runs(Home.find(), recipe_name, limit)}
    emit(document, json, lambda: print(render_runs(document["runs"])))


def compare(run_names: Runs, timings: Timings = False, json: Json = False) -> None:
    """Example: lmforge compare quickstart-section@champion quickstart-section@challenger

    Show what differs between runs or versions: recipe, data, code, libraries, metrics, verdicts, sizes and times; for
    two of them also the paired gain and the parts of the test set where it is a loss.
    """
    from lmforge.reporting.comparison import render_comparison
    from tasks.comparing import compare_runs

    document = compare_runs(Home.find(), run_names)
    emit(document, json, lambda: print(render_comparison(document, timings)))


def history(model: ModelName, at: At = None, verify: Verify = False, json: Json = False) -> None:
    """Example: lmforge history quickstart-section --at 2026-03-01

    Show what is in production, since when, who put it there and why, and what was before. Exit code 1: --verify found
    the record broken.
    """
    from lmforge.reporting.history import render_history
    from tasks.releasing import tell_history

    document = tell_history(Home.find().prepare(), model, at, verify)
    if json and document["problems"]:
        raise IntegrityError("; ".join(document["problems"]))
    emit(document, json, lambda: print(render_history(document)))
    if document["problems"]:
        raise IntegrityError(f"the history of {model} does not verify: {document['problems'][0]}")
