"""`lmforge run`: walk the whole chain in this process, against an embedded or a running Prefect server."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from flows.cli.common import TERMINATED, Json, Overrides, RecipePath, emit, recipe_in_project
from lmforge.home import Home


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(run)


def run(
    recipe: RecipePath,
    overrides: Overrides = None,
    json: Json = False,
    task_runner: Annotated[
        str | None,
        typer.Option(
            "--task-runner", help="Who works on shards: serial, thread:N, process:N, dask:N or ray:N (N workers)."
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what the libraries say, too.")] = False,
) -> None:
    """Example: lmforge run recipes/quickstart.yaml --set pretraining.max_steps=500

    Run every stage whose result is not in the store, register the model, and promote it if it is better.
    """
    from lmforge.recipe import load_recipe
    from lmforge.reporting.summary import print_summary
    from tasks.context import TASK_RUNNER
    from tasks.workers import parse_workers

    home = Home.find().prepare()
    if task_runner is not None:
        os.environ[TASK_RUNNER] = task_runner
    parse_workers(os.environ.get(TASK_RUNNER) or "serial")
    load_recipe(recipe, overrides or ())  # a wrong recipe is told before any server starts
    document = _walk(home, recipe_in_project(home, recipe), overrides or [], verbose)
    emit(document, json, lambda: print_summary(document, home, overrides=overrides or ()))


def _walk(home: Home, recipe: str, overrides: list[str], verbose: bool) -> dict[str, Any]:
    from lmforge.services.record import use_running_server

    use_running_server(home)
    from flows.logs import quiet_server, show_progress

    show_progress(verbose)
    from prefect import get_client
    from prefect.exceptions import TerminationSignal

    from flows.pipeline import pipeline
    from tasks.workers import deaf

    with deaf(), quiet_server(verbose):
        get_client(sync_client=True)  # a temporary server starts here, and must outlive a Ctrl-C in the terminal
    try:
        result: dict[str, Any] = pipeline(recipe, overrides)
    except TerminationSignal as error:
        raise SystemExit(TERMINATED) from error
    return result | {"status": "finished"}
