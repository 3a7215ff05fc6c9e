"""Start the services of a home: both servers, then the deployments, then the worker that runs them.

What already runs stays. When one of them does not come up, those that were started with it are stopped again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.services.addresses import check_host, choose_port
from lmforge.services.asking import is_healthy, worker_polls
from lmforge.services.clients import worker
from lmforge.services.deploying import check_project, deploy
from lmforge.services.launching import deferred_signals, launch, wait_until
from lmforge.services.locking import only_one
from lmforge.services.programs import Program, is_remote, mlflow_server, prefect_server
from lmforge.services.record import MLFLOW_PORT, ServiceRecord, is_alive, read_records, write_records
from lmforge.services.stopping import forget, stop_process

Say = Callable[[str], None]
_PREFECT_PORT = 4200


class Wanted(NamedTuple):
    """What to start. A port of None means the usual one, or the next free one."""

    host: str = "127.0.0.1"
    prefect_port: int | None = None
    mlflow_port: int | None = None
    with_worker: bool = True


def start_services(home: Home, wanted: Wanted, say: Say) -> list[str]:
    """Bring everything up and deploy; the names of what was started now, none when all of it ran already.

    Raises InputError for a host that others can reach, a port that is in use, or a project without prefect.yaml;
    LmforgeError with the end of a log when a service does not come up.
    """
    check_host(wanted.host)
    check_project(home)
    home.prepare()
    with only_one(home), ExitStack() as undo:
        running = _running_services(home)
        programs = _missing_servers(home, wanted, running, say)
        servers = [*running.values(), *(_start(home, program, undo, say) for program in programs)]
        for record in servers:
            if record.health is not None:
                wait_until(partial(is_healthy, record.health), home, record, say)
        api = next(f"{record.url}/api" for record in servers if record.name == "prefect")
        say("deploying")
        deploy(home, api)
        if wanted.with_worker and "worker" not in running:
            programs.append(worker(home, api))
            record = _start(home, programs[-1], undo, say)
            wait_until(partial(worker_polls, api, record.started), home, record, say)
        undo.pop_all()
    return [program.name for program in programs]


def _running_services(home: Home) -> dict[str, ServiceRecord]:
    """The services whose process is alive, by name."""
    return {name: record for name, record in read_records(home).items() if is_alive(record)}


def _missing_servers(home: Home, wanted: Wanted, running: dict[str, ServiceRecord], say: Say) -> list[Program]:
    """The servers to start, at ports that do not collide."""
    programs = []
    taken: frozenset[int] = frozenset()
    for name, asked, usual, build in (
        ("prefect", wanted.prefect_port, _PREFECT_PORT, prefect_server),
        ("mlflow", wanted.mlflow_port, MLFLOW_PORT, mlflow_server),
    ):
        if name in running:
            _check_moved(running[name], asked)
        elif name != "mlflow" or not is_remote(home.tracking_uri):
            port = choose_port(wanted.host, asked, usual, taken)
            if asked is None and port != usual:
                say(f"port {usual} is in use; {name} takes {port}")
            taken |= {port}
            programs.append(build(home, wanted.host, port))
    return programs


def _check_moved(record: ServiceRecord, asked: int | None) -> None:
    if asked not in (None, record.port):
        raise InputError(
            f"{record.name} already runs at port {record.port}; `lmforge down` first, to move it to {asked}"
        )


def _start(home: Home, program: Program, undo: ExitStack, say: Say) -> ServiceRecord:
    say(f"starting {program.name}" + (f" at {program.url}" if program.url else ""))
    # A Ctrl-C between the start and its undoing would leave a process that nobody knows.
    with deferred_signals():
        record = launch(home, program)
        undo.callback(_undo, home, record)
        # Written at once: when this command is killed, `lmforge down` still finds what it has started.
        write_records(home, [*(read_records(home) | {record.name: record}).values()])
    return record


def _undo(home: Home, record: ServiceRecord) -> None:
    stop_process(record)
    forget(home, record)
