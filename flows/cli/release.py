"""`lmforge promote`, `approve` and `rollback`: how a version gets into production, and back."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.common import Json, emit, keeping_imports
from lmforge.home import Home

Candidate = Annotated[
    str, typer.Argument(metavar="NAME[/VERSION]", help="Without a version: the challenger.", show_default=False)
]
ModelName = Annotated[str, typer.Argument(metavar="NAME", help="Name of a registered model.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, change nothing.")]
Version = Annotated[
    str | None, typer.Option(help="A version that was in production; default: the last one before this.")
]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads the history.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(promote)
    app.command()(approve)
    app.command()(rollback)


def promote(model: Candidate, dry_run: DryRun = False, json: Json = False) -> None:
    """Example: lmforge promote quickstart-section/2 --dry-run

    Put a version into production if the gate's stored verdict on it holds. Exit code 3: it does not.
    """
    from lmforge.reporting.history import render_promotion

    home = Home.find().prepare()
    with keeping_imports():
        from tasks.releasing import promote_version

        document = promote_version(home, model, dry_run)
    emit(document, json, lambda: print(render_promotion(document)))


def approve(model: Candidate, reason: Reason, json: Json = False) -> None:
    """Example: lmforge approve quickstart-section/2 --reason "looked at the slices"

    Agree to a verdict that needs a person, so that `lmforge promote` may act on it. It expires, and holds for this
    evaluation of the version only.
    """
    from lmforge.reporting.history import render_approval
    from tasks.releasing import approve_version

    document = approve_version(Home.find().prepare(), model, reason)
    emit(document, json, lambda: print(render_approval(document)))


def rollback(model: ModelName, reason: Reason, to: Version = None, json: Json = False) -> None:
    """Example: lmforge rollback quickstart-section --reason "wrong labels since noon"

    Put the version before this one back into production, or the one that --to names.
    """
    from lmforge.serving.self_test import loading_already

    home = Home.find().prepare()
    with loading_already() as self_test, keeping_imports():
        from lmforge.reporting.history import render_rollback
        from tasks.releasing import roll_back

        document = roll_back(home, model, to, reason, self_test)
    emit(document, json, lambda: print(render_rollback(document)))
