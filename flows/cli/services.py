"""`lmforge up`, `down` and `status`: the servers and the worker of this project."""

from __future__ import annotations

import typer

from flows.cli.common import Json


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(json: Json = False) -> None:
    """Example: lmforge up"""


def down(json: Json = False) -> None:
    """Example: lmforge down"""


def status(json: Json = False) -> None:
    """Example: lmforge status"""
