"""Who works on the shards of a stage: this process, or one of Prefect's task runners.

`LMFORGE_TASK_RUNNER` (or `lmforge run --task-runner`) names it; `tasks.workers` says how. Each shard is a task run of
its own, on the server that this process reports to. Where a stage stops early its worker processes are killed: a unit
is published whole or not at all, so nothing half-made can stay.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import secrets
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from prefect import get_client, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from lmforge.errors import LmforgeError
from lmforge.sharding import Workshop, in_turn
from lmforge.wording import shown
from tasks.context import Run
from tasks.workers import Workers, deaf, environment, parse_workers, thread_settings

# Enough that no worker waits for the next shard; all at once would hold a large corpus's arrays pickled in memory.
_SHARDS_AHEAD = 4
_OBJECT_STORE_BYTES = 100 << 20


@task(name="shard", task_run_name="{title}", cache_policy=NO_CACHE, persist_result=False)
def work_on_shard(work: Callable[[], Any], title: str) -> Any:
    """One shard of a stage, as a task run of its own."""
    return work()


@contextmanager
def sharded(run: Run) -> Iterator[Workshop]:
    """The workshop of a stage; workers start when there is more than one shard, and are gone at the end.

    Raises what a worker raises, and LmforgeError when one was lost.
    """
    workers = parse_workers(run.task_runner)
    with ExitStack() as stack:
        mapper = in_turn if workers.kind == "serial" else _Shared(workers, stack)
        yield Workshop(run.store, mapper)


@dataclass
class _Shared:
    """A mapper that starts its task runner with the first work that is worth it and keeps it for the stage."""

    workers: Workers
    stack: ExitStack
    running: list[TaskRunner[Any]] = field(default_factory=list)

    def __call__(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        if len(items) < 2:
            return in_turn(function, items)
        if not self.running:
            self.running.append(self.stack.enter_context(_started(self.workers)))
        return self._results(function, items)

    def _results(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        ahead: deque[PrefectFuture[Any]] = deque()
        for number, item in enumerate(items, start=1):
            title = f"{_work_name(function, item)} {number} of {len(items)}"
            if len(ahead) >= _SHARDS_AHEAD * self.workers.num_workers:
                yield self._result(ahead.popleft())
            with deaf():
                # A partial is opaque to Prefect, which would otherwise look for futures in every array.
                ahead.append(self.running[0].submit(work_on_shard, {"work": partial(function, item), "title": title}))
        while ahead:
            yield self._result(ahead.popleft())

    def _result(self, future: PrefectFuture[Any]) -> Any:
        if self.workers.kind == "ray":
            wait([future.wrapped_future.future()])  # type: ignore[attr-defined]  # ray.get is deaf to SIGTERM
        try:
            return future.result()
        except _losses(self.workers.kind) as error:
            raise LmforgeError(
                f"a worker of task runner {self.workers.kind} was lost in the middle of a shard "
                f"({type(error).__name__}): it was killed, or memory ran out; finished shards are kept, so run the "
                "same command again, with fewer workers if memory is short"
            ) from error


@contextmanager
def _started(workers: Workers) -> Iterator[TaskRunner[Any]]:
    """A running task runner whose workers report to the server of this process instead of starting one each."""
    with ExitStack() as stack:
        stack.enter_context(environment(_settings(workers)))
        url = str(get_client(sync_client=True).api_url).rstrip("/")
        stack.enter_context(temporary_settings({PREFECT_API_URL: url}))
        runner = _task_runner(workers, stack)
        on_term = signal.getsignal(signal.SIGTERM)
        with deaf():
            _enter(runner, workers, stack)
        if workers.kind == "ray" and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_term)  # Ray's own handler prints a stack and aborts
        if workers.kind == "process":
            stack.push(_killing_pool(multiprocessing.active_children()))
            # A worker that dies while it writes an event keeps the lock of this queue, and our exit would wait for it.
            if (queue := getattr(runner, "_subprocess_message_queue", None)) is not None:
                queue.cancel_join_thread()
        yield runner


def _enter(runner: Any, workers: Workers, stack: ExitStack) -> None:
    try:
        stack.enter_context(runner)
        if workers.kind == "dask":
            _ = runner.client  # connects now; else the first shard would
    except OSError as error:
        if not workers.address:
            raise
        raise LmforgeError(
            f"no {workers.kind} cluster answers at {workers.address}: {shown(str(error))}; start it, or have workers "
            f"on this machine with {workers.kind}:{workers.num_workers}"
        ) from error


def _task_runner(workers: Workers, stack: ExitStack) -> TaskRunner[Any]:
    if workers.kind == "dask":
        return _dask(workers, stack)
    if workers.kind == "ray":
        return _ray(workers, stack)
    if workers.kind == "process":
        return ProcessPoolTaskRunner(max_workers=workers.num_workers, initializer=_end_with_parent)
    return ThreadPoolTaskRunner(max_workers=workers.num_workers)


def _dask(workers: Workers, stack: ExitStack) -> TaskRunner[Any]:
    import dask
    from prefect_dask import DaskTaskRunner

    if workers.address:
        return cast(TaskRunner[Any], DaskTaskRunner(address=workers.address))
    stack.enter_context(dask.config.set({"temporary-directory": _directory("dask", stack)}))
    # Processes, because most of the work holds the interpreter lock. Without certificates, whoever has an account on
    # this machine could hand work to the scheduler.
    cluster = {
        "n_workers": workers.num_workers,
        "threads_per_worker": 1,
        "processes": True,
        "host": "127.0.0.1",
        "protocol": "tls",
        "security": True,
        "dashboard_address": None,
    }
    return cast(TaskRunner[Any], DaskTaskRunner(cluster_kwargs=cluster))


def _ray(workers: Workers, stack: ExitStack) -> TaskRunner[Any]:
    from prefect_ray import RayTaskRunner

    if workers.address:
        address = f"ray://{workers.address.removeprefix('ray://')}"
        return cast(TaskRunner[Any], RayTaskRunner(address=address, init_kwargs={"logging_level": logging.ERROR}))
    local = {
        "num_cpus": workers.num_workers,
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "_node_ip_address": "127.0.0.1",
        "_temp_dir": _directory("ray", stack),
    }
    return cast(TaskRunner[Any], RayTaskRunner(init_kwargs=local))


def _settings(workers: Workers) -> dict[str, str]:
    """What worker processes that we start find in their environment besides that of this process."""
    if workers.kind == "thread" or workers.address:
        return {}
    if workers.kind == "ray":
        return thread_settings(workers) | _ray_settings()
    return thread_settings(workers) | {"DASK_LOGGING__DISTRIBUTED": "error"}


def _ray_settings() -> dict[str, str]:
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray turns 127.0.0.1 into the address of a network card unless clusters of many machines are off, and has no
        # other name for that than this one.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def _directory(name: str, stack: ExitStack) -> str:
    # Not in the home: Ray's sockets have long names, and the path of a socket at most 107 bytes.
    return stack.enter_context(tempfile.TemporaryDirectory(prefix=f"lmforge-{name}-", ignore_cleanup_errors=True))


def _losses(kind: str) -> tuple[type[Exception], ...]:
    """What a future raises when the process that worked on it is gone."""
    if kind == "process":
        return (BrokenExecutor,)
    if kind == "dask":
        from distributed import CancelledError
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        return (KilledWorker, CommClosedError, CancelledError)
    if kind == "ray":
        from ray.exceptions import RayError

        return (RayError,)
    return ()


def _killing_pool(others: Sequence[Any]) -> Callable[..., None]:
    """An exit that ends the pool's processes after an error; the pool itself would wait for the shards at hand."""

    def leave(kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            for child in multiprocessing.active_children():
                if child not in others:
                    child.kill()

    return leave


def _end_with_parent() -> None:
    """In a worker: when the process that hands out the work was killed, nobody else would end this one."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def _work_name(function: Callable[[Any], Any], item: Any) -> str:
    """`clean unit` for a CleanUnit, else the function's own name in words."""
    if hasattr(item, "build"):
        return "".join(f" {c.lower()}" if c.isupper() else c for c in type(item).__name__).strip()
    inner = function.func if isinstance(function, partial) else function
    return str(getattr(inner, "__name__", "shard")).strip("_").replace("_", " ")
