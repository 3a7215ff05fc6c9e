"""`lmforge peek`: a few records after a stage."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.common import Json, emit
from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.wording import shown

StageName = Annotated[
    str,
    typer.Argument(metavar="STAGE", help="collect, clean, label, label-TASK, tokenize; or batch.", show_default=False),
]
Recipe = Annotated[
    str | None,
    typer.Option("--recipe", metavar="RECIPE|RUN", help="Recipe file or name, or a run; default: the newest run."),
]
Named = Annotated[str | None, typer.Argument(metavar="RECIPE|RUN", help="As --recipe.", show_default=False)]
Split = Annotated[str | None, typer.Option(help="Of a batch: train or validation.", show_default="train")]
Step = Annotated[int | None, typer.Option(min=0, help="Of a batch: which step, from 0 on.", show_default="0")]
NumRecords = Annotated[int, typer.Option("--records", min=1, max=1000, help="At most so many of each kind.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Another seed draws other records.")]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(peek)


def peek(
    stage: StageName,
    named: Named = None,
    recipe: Recipe = None,
    records: NumRecords = 5,
    seed: Seed = 0,
    split: Split = None,
    step: Step = None,
    json: Json = False,
) -> None:
    """Example: lmforge peek clean --recipe recipes/quickstart.yaml --records 3

    Show a few records after a stage: as read, before and after cleaning, rejected with their reason, labelled, or as
    tokens; or rows of a batch: what the network is shown and must answer. Personal data is masked.
    """
    if named and recipe:
        raise InputError(f"{shown(named)} and --recipe {shown(recipe)}: name one recipe or run")
    if stage != "batch" and (split is not None or step is not None):
        raise InputError("--split and --step are for `lmforge peek batch`; leave them out")
    home = Home.find().prepare()
    from tasks.data_reporting import batch_of, find_data

    found = find_data(home, named or recipe)
    head = {"run_id": found.run_id, "recipe": found.recipe}
    if stage == "batch":
        document = head | batch_of(home, found, named or recipe, split or "train", step or 0, records)
        from lmforge.reporting.batch_page import render_batch

        emit(document, json, lambda: print(render_batch(document)))
        return
    from lmforge.reporting.peek_page import render_peek
    from lmforge.reporting.peeking import peek as peek_at

    document = head | peek_at(stage, found.made, records, seed)
    emit(document, json, lambda: print(render_peek(document)))
