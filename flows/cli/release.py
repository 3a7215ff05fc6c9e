"""`lmforge promote`, `approve`, `rollback` and `history`: what is in production, how it gets there, and back."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.common import Json, emit
from lmforge.errors import IntegrityError
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
At = Annotated[str | None, typer.Option(metavar="DATE", help="2026-03-01, or a moment such as 2026-03-01T14:30.")]
Verify = Annotated[bool, typer.Option("--verify", help="Check the chain of hashes, its copy and the alias.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(promote)
    app.command()(approve)
    app.command()(rollback)
    app.command()(history)


def promote(model: Candidate, dry_run: DryRun = False, json: Json = False) -> None:
    """Example: lmforge promote quickstart-section/2 --dry-run

    Put a version into production if the gate's stored verdict on it holds. Exit code 3: it does not.
    """
    from lmforge.reporting.history import render_promotion
    from tasks.releasing import promote_version

    document = promote_version(Home.find().prepare(), model, dry_run)
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
    from lmforge.reporting.history import render_rollback
    from tasks.releasing import roll_back

    document = roll_back(Home.find().prepare(), model, to, reason)
    emit(document, json, lambda: print(render_rollback(document)))


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
