"""`lmforge doctor`: is this machine fit to run the project?"""

from __future__ import annotations

import typer

from flows.cli.common import Json


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(doctor)


def doctor(json: Json = False) -> None:
    """Example: lmforge doctor"""
