"""Start one program in the background and wait until it works.

It leads a session of its own, so Ctrl-C at the command line does not reach it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from lmforge.errors import LmforgeError
from lmforge.home import Home
from lmforge.services.addresses import without_password
from lmforge.services.programs import Program
from lmforge.services.record import ServiceRecord, is_alive
from lmforge.wording import shown

_HEALTH_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.25
_TELL_EVERY_SECONDS = 10.0
_NUM_LOG_LINES, _NUM_LINE_CHARACTERS = 15, 300
_LOOPBACK = "127.0.0.1,localhost,::1"


def launch(home: Home, program: Program) -> ServiceRecord:
    """Start a program. Its output goes to `logs/NAME.log`; that of the start before is kept as `NAME.previous.log`."""
    variables, log = environment(home, program.environment), log_of(home, program.name)
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{program.name}.previous.log"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            program.command, cwd=home.project, env=variables, umask=0o077,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            # A shell starts background jobs with SIGINT ignored, and a Prefect worker that inherits this never ends.
            preexec_fn=_default_interrupt,
        )  # fmt: skip
    return ServiceRecord.of(program.name, process.pid, program.port, program.url)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Deliver SIGINT and SIGTERM after the body instead of within it; for the main thread only."""
    pending: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: pending.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for delayed in pending:
            signal.raise_signal(delayed)


def wait_until(
    works: Callable[[], bool],
    home: Home,
    record: ServiceRecord,
    say: Callable[[str], None],
    timeout_seconds: float = _HEALTH_TIMEOUT_SECONDS,
) -> None:
    """Return when the service works. Raises LmforgeError with the end of its log when it died or takes too long."""
    begin = told = time.monotonic()
    while not works():
        now = time.monotonic()
        log = log_of(home, record.name)
        if not is_alive(record):
            raise LmforgeError(f"{record.name} ended {_exit_code(record.pid)}while it started:\n{log_end(log)}")
        if now - begin > timeout_seconds:
            raise LmforgeError(f"{record.name} does not work after {timeout_seconds:.0f} s:\n{log_end(log)}")
        if now - told > _TELL_EVERY_SECONDS:
            say(f"waiting for {record.name} ({now - begin:.0f} s)")
            told = now
        time.sleep(_POLL_SECONDS)


def environment(home: Home, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: ours with the settings of the home, the `extra` ones, and no proxy for loopback."""
    home.prepare()
    merged = os.environ | dict(extra)
    for name in ("NO_PROXY", "no_proxy"):
        merged[name] = ",".join(filter(None, (os.environ.get(name), _LOOPBACK)))
    return merged


def log_of(home: Home, name: str) -> Path:
    """Where a service writes."""
    return home.logs / f"{name}.log"


def log_end(log: Path) -> str:
    """The last lines of a log without passwords and terminal escapes, and where the rest is."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_NUM_LOG_LINES:] if log.exists() else []
    safe = (shown(without_password(line), _NUM_LINE_CHARACTERS) for line in lines)
    return "\n".join([*(f"  | {line}" for line in safe), f"all of it: {log}"])


def _exit_code(pid: int) -> str:
    """A killed program says nothing in its log; -9 tells that memory ran out."""
    try:
        code = psutil.Process(pid).wait(timeout=1)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return ""
    return "" if code is None else f"with exit code {int(code)} "


def _default_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
