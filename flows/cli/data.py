"""`lmforge data`: what people ask about the data of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import Json, emit
from lmforge.home import Home

RunOrRecipe = Annotated[
    str | None,
    typer.Argument(
        metavar="RECIPE|RUN", help="Recipe file or name (its newest run), run id, or latest~1.", show_default="latest"
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Where to write the page; default: beside the run.")
]


def register(app: typer.Typer) -> None:
    """Add the group of verbs."""
    group = typer.Typer(help="Example: lmforge data report\n\nWhat is in the data of a run.", no_args_is_help=True)
    group.command()(report)
    app.add_typer(group, name="data")


def report(run: RunOrRecipe = None, out: Out = None, json: Json = False) -> None:
    """Example: lmforge data report recipes/quickstart.yaml --out data.html

    One HTML page about the data of a run: sizes, rejections, repairs, duplicates, mixes, drift and verdicts.
    """
    home = Home.find().prepare()
    from tasks.data_reporting import PAGE, find_data, write_page

    found = find_data(home, run)
    page = (out or found.directory / PAGE).resolve()
    document = write_page(found, page)
    emit({**document, "page": str(page)}, json, lambda: print(page))
