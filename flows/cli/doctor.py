"""`lmforge doctor`: is this machine fit to run the project?"""

from __future__ import annotations

import typer

from flows.cli.common import Json, emit
from lmforge.home import Home


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(doctor)


def doctor(json: Json = False) -> None:
    """Example: lmforge doctor

    Look at Python, the libraries, the machine, the environment and the services; exit code 1 when something is wrong.
    """
    from lmforge.doctor import examine

    checks = examine(Home.find())
    worst = next((state for state in ("problem", "warning") if any(check.state == state for check in checks)), "ok")
    document = {"status": worst, "checks": [check._asdict() for check in checks]}

    def words() -> None:
        for check in checks:
            print(f"{check.state:<8} {check.name:<32} {check.found}")
            if check.fix:
                print(f"{'':<8} {'fix:':>32} {check.fix}")

    emit(document, json, words)
    if worst == "problem":
        raise typer.Exit(1)
