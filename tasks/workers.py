"""Names of task runners, checked before anything is started, and what the processes of their workers are told.

A name never changes a result, so it is no part of a recipe. The environment has to be right before a worker imports
polars or Ray starts its first process; later nobody reads it.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import NamedTuple

from lmforge.errors import InputError
from lmforge.wording import nearest, shown

RUNNERS = ("serial", "thread", "process", "dask", "ray")
_EXTRAS = {"dask": ("prefect_dask", "distributed"), "ray": ("prefect_ray", "ray")}
_SCHEMES = {"dask": "(?:(?:tcp|tls)://)?", "ray": "(?:ray://)?"}
_HOST_AND_PORT = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}"
_EXAMPLES = {"dask": "dask:tcp://host:8786", "ray": "ray:host:10001"}
# A slip of the finger must not start a million processes.
_MAX_WORKERS = 256


class Workers(NamedTuple):
    """Who works on shards. num_workers: on this machine; address: of a cluster that runs already, else None."""

    kind: str
    num_workers: int
    address: str | None = None

    @property
    def num_threads(self) -> int:
        """Threads of one worker, so that all of them together take each core once."""
        return max(1, num_cores() // self.num_workers)


def parse_workers(name: str) -> Workers:
    """What a name such as `serial`, `thread`, `process:4`, `dask:tcp://host:8786` or `ray:host:10001` stands for.

    Without a number there are as many workers as cores. Raises InputError for a name that is none, and for `dask` and
    `ray` where the extra is not installed.
    """
    kind, colon, rest = name.partition(":")
    if kind not in RUNNERS or (kind == "serial" and colon):
        raise InputError(_unknown(name, kind))
    if missing := [module for module in _EXTRAS.get(kind, ()) if find_spec(module) is None]:
        raise InputError(
            f"task runner {kind} needs {missing[0]}, which is not installed; run: pip install 'lmforge[{kind}]'"
        )
    if not colon:
        return Workers(kind, 1 if kind == "serial" else num_cores())
    if rest.isascii() and rest.isdecimal() and 1 <= int(rest[:9]) <= _MAX_WORKERS:
        return Workers(kind, int(rest))
    if kind in _SCHEMES and re.fullmatch(_SCHEMES[kind] + _HOST_AND_PORT, rest):
        return Workers(kind, num_cores(), rest)
    example = f", or the address of a cluster such as {_EXAMPLES[kind]}" if kind in _EXAMPLES else ""
    raise InputError(
        f"task runner {shown(name)!r}: {shown(rest)!r} is no number of workers; write 1 to {_MAX_WORKERS}, such as "
        f"{kind}:{num_cores()}{example}"
    )


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Variables of this process, and so of the processes that it starts; what the user has set wins."""
    added = {name: value for name, value in settings.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def deaf() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C, which a terminal sends to all: this one alone decides what ends."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def thread_settings(workers: Workers) -> dict[str, str]:
    """How many threads polars, OpenMP and the Rust libraries take in each worker process."""
    names = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    return dict.fromkeys(names, str(workers.num_threads))


def _unknown(name: str, kind: str) -> str:
    near = nearest(kind, RUNNERS)
    hint = f"did you mean {near}? " if near and near != kind else ""
    return (
        f"task runner {shown(name)!r} is unknown; {hint}write serial, thread:N, process:N, dask:N or ray:N with N "
        f"workers, or the address of a cluster: {' or '.join(_EXAMPLES.values())}"
    )
