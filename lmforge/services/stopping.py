"""Stop the services of a home: the worker first, so that its runs can still report to the server how they ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lmforge.home import Home
from lmforge.services.record import ServiceRecord, is_alive, read_records, write_records

if TYPE_CHECKING:
    import psutil

STOP_ORDER = ("worker", "prefect", "mlflow")
GRACE_SECONDS = 20.0


def stop_services(home: Home, say: Callable[[str], None]) -> list[str]:
    """Stop what runs and forget the rest; the names of what was stopped. Each record goes as its service does."""
    records = read_records(home)
    stopped = []
    for name in sorted(records, key=_rank):
        record = records[name]
        if is_alive(record):
            say(f"stopping {name}")
            stop_process(record)
            stopped.append(name)
        records = {other: kept for other, kept in records.items() if other != name}
        write_records(home, records.values())
    return stopped


def stop_process(record: ServiceRecord, grace_seconds: float = GRACE_SECONDS) -> None:
    """End a service and all that it started: ask, wait, and kill what is left after `grace_seconds`.

    A worker would wait for its runs, for hours maybe; they are asked to end too, and a run that is started again
    goes on from what the store has.
    """
    import psutil

    try:
        leader = psutil.Process(record.pid)
        family = [leader, *leader.children(recursive=True)]
        _terminate(leader)
        for child in leader.children() if record.name == "worker" else ():
            _terminate(child)
    except psutil.NoSuchProcess:
        return
    deadline = time.monotonic() + grace_seconds
    _, left = psutil.wait_procs([leader], timeout=grace_seconds)
    family += [child for process in left for child in _children(process)]
    # What its parent left behind, such as a web server whose supervisor is gone, gets the rest of the time.
    for orphan in family[1:]:
        _terminate(orphan)
    _, left = psutil.wait_procs(family, timeout=max(1.0, deadline - time.monotonic()))
    _kill(left)


def _rank(name: str) -> int:
    return STOP_ORDER.index(name) if name in STOP_ORDER else -1


def _children(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _terminate(process: psutil.Process) -> None:
    import psutil

    try:
        process.terminate()
    except psutil.NoSuchProcess:
        return


def _kill(processes: Sequence[psutil.Process]) -> None:
    import psutil

    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=5)
