"""Stop the services of a home: the worker first, so that its runs can still report to the server how they ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

from lmforge.home import Home
from lmforge.services.locking import only_one
from lmforge.services.record import ServiceRecord, is_alive, read_records, write_records

_STOP_ORDER = ("worker", "prefect", "mlflow")
# A run that is asked to end does so within 3 s on an idle machine; half of this is its, the rest the service's.
GRACE_SECONDS = 30.0
_KILL_SECONDS, _POLL_SECONDS = 5.0, 0.05


def stop_services(home: Home, say: Callable[[str], None]) -> list[str]:
    """Stop what runs and forget the rest; the names of what was stopped. Each record goes as its service does."""
    if not home.services.exists():
        return []
    stopped = []
    with only_one(home):
        for record in sorted(read_records(home).values(), key=_rank):
            if is_alive(record):
                say(f"stopping {record.name}")
                stop_process(record)
                stopped.append(record.name)
            forget(home, record)
    return stopped


def forget(home: Home, record: ServiceRecord) -> None:
    """Remove one record."""
    write_records(home, [kept for kept in read_records(home).values() if kept != record])


def stop_process(record: ServiceRecord, grace_seconds: float = GRACE_SECONDS) -> None:
    """End a service and all that it started: ask, wait, and kill what is left after `grace_seconds`.

    The runs of a worker end before it does, and so tell the server that they crashed; they go on from what the store
    has when they are started again.
    """
    leader = _process(record.pid)
    if leader is None:
        return
    deadline = time.monotonic() + grace_seconds
    family = [leader, *_children(leader)]
    if record.name == "worker":
        runs = _children(leader, recursive=False)
        _terminate(runs)
        _wait(runs, grace_seconds / 2)
    _terminate([leader])
    _wait([leader], max(1.0, deadline - time.monotonic()))
    family += _children(leader)
    # What its parent left behind, such as a web server whose supervisor is gone.
    _terminate(family)
    _kill(_wait(family, max(1.0, deadline - time.monotonic())))


def _rank(record: ServiceRecord) -> int:
    return _STOP_ORDER.index(record.name) if record.name in _STOP_ORDER else -1


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _children(process: psutil.Process, recursive: bool = True) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=recursive))
    except psutil.NoSuchProcess:
        return []


def _terminate(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _wait(processes, _KILL_SECONDS)


def _wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that still run after `seconds`. A zombie has ended; in a container maybe nobody ever takes it away."""
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
