"""`lmforge lineage` and `lmforge reproduce`: what a model was made of, and whether it can be made again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import Json, emit, say
from lmforge.errors import InputError
from lmforge.home import Home

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="NAME (its champion), NAME@ALIAS or NAME/VERSION.", show_default=False)
]
Documents = Annotated[
    bool, typer.Option("--documents", help="List what it learned from instead, a JSON document a line.")
]
Output = Annotated[
    Path | None, typer.Option("--output", help="With --documents: the file for them.", show_default=False)
]
DespiteSources = Annotated[
    bool, typer.Option("--despite-sources", help="Run even though the sources are not what they were.")
]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(lineage)
    app.command()(reproduce)


def lineage(model: Model, documents: Documents = False, output: Output = None, json: Json = False) -> None:
    """Example: lmforge lineage quickstart-section@champion

    Show what a version was made of: recipe, commit, libraries, stages and source files, each with its hash.
    """
    if output is not None and not documents:
        raise InputError("--output is for --documents; add it, or use --json > FILE for the lineage itself")
    if documents and json and output is None:
        raise InputError("--documents prints JSON lines; with --json name a file for them: --output documents.jsonl")
    from lmforge.reporting.lineage import render_lineage
    from tasks.lineage import lineage_of, write_documents

    document = lineage_of(Home.find().prepare(), model)
    if not documents:
        emit(document, json, lambda: print(render_lineage(document)))
        return
    written = {"num_documents": write_documents(document, output), "file": str(output) if output else None}
    if document["start"]:
        say(f"it started from {document['start']}, whose own documents are not among these")
    if output:
        emit(written, json, lambda: print(f"{written['num_documents']:,} documents in {output}"))


def reproduce(model: Model, despite_sources: DespiteSources = False, json: Json = False) -> None:
    """Example: lmforge reproduce quickstart-section/3

    Run the recipe of a version again in a temporary home and compare every file; exit code 1 when one differs.
    """
    from lmforge.reporting.lineage import render_reproduction
    from tasks.reproducing import reproduce as run_again

    command = [sys.executable, "-m", "flows.cli", "run"]
    document = run_again(Home.find().prepare(), model, command, say, despite_sources=despite_sources)
    emit(document, json, lambda: print(render_reproduction(document)))
    if document["status"] != "equal":
        raise typer.Exit(1)
