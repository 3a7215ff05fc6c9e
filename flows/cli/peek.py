"""`lmforge peek`: a few records after a stage."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.common import Json, emit
from lmforge.home import Home

StageName = Annotated[
    str, typer.Argument(metavar="STAGE", help="collect, clean, label, label-TASK or tokenize.", show_default=False)
]
Recipe = Annotated[
    str | None,
    typer.Option("--recipe", metavar="RECIPE|RUN", help="Recipe file or name, or a run; default: the newest run."),
]
NumRecords = Annotated[int, typer.Option("--records", min=1, max=1000, help="At most so many of each kind.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Another seed draws other records.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(peek)


def peek(stage: StageName, recipe: Recipe = None, records: NumRecords = 5, seed: Seed = 0, json: Json = False) -> None:
    """Example: lmforge peek clean --recipe recipes/quickstart.yaml --records 3

    Show a few records after a stage: as read, before and after cleaning, rejected with their reason, labelled, or as
    tokens. Personal data is masked.
    """
    home = Home.find().prepare()
    from tasks.data_reporting import find_data

    found = find_data(home, recipe)
    from lmforge.reporting.peek_page import render_peek
    from lmforge.reporting.peeking import peek as peek_at

    document = {"run_id": found.run_id, "recipe": found.recipe, **peek_at(stage, found.made, records, seed)}
    emit(document, json, lambda: print(render_peek(document)))
