"""`lmforge up`, `down` and `status`: the servers and the worker of this project."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.common import Json, emit, say
from lmforge.home import Home

Port = Annotated[int | None, typer.Option(metavar="PORT", help="Port; by default the usual one or the next free one.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (up, down, status):
        app.command()(verb)


def up(
    prefect_port: Port = None,
    mlflow_port: Port = None,
    host: Annotated[str, typer.Option(help="Address to listen at; this machine's own only.")] = "127.0.0.1",
    worker: Annotated[bool, typer.Option(help="Start the worker that executes the runs that are due.")] = True,
    json: Json = False,
) -> None:
    """Example: lmforge up --prefect-port 4300

    Start the Prefect and MLflow servers and a worker in the background, and deploy the flows of prefect.yaml.
    """
    from lmforge.services.describing import up_lines
    from lmforge.services.starting import Wanted, start_services
    from lmforge.services.status import status_of

    home = Home.find().prepare()
    started = start_services(home, Wanted(host, prefect_port, mlflow_port, worker), say)
    document = {"status": "up", "started": started, **status_of(home)}
    emit(document, json, lambda: print("\n".join(up_lines(document))))


def down(json: Json = False) -> None:
    """Example: lmforge down

    Stop the worker, its runs and both servers. A stopped run goes on where it was when it is started again.
    """
    from lmforge.services.stopping import stop_services

    stopped = stop_services(Home.find().prepare(), say)
    emit(
        {"status": "down", "stopped": stopped},
        json,
        lambda: print(f"stopped {', '.join(stopped)}" if stopped else "nothing runs"),
    )


def status(json: Json = False) -> None:
    """Example: lmforge status

    Show the services, the deployments with their next run, and the last runs.
    """
    from lmforge.services.describing import status_lines
    from lmforge.services.status import status_of

    document = status_of(Home.find().prepare())
    emit(document, json, lambda: print("\n".join(status_lines(document))))
