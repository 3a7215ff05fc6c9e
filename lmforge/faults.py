"""Faults for tests, planted where work becomes durable; nothing happens here unless the environment asks for it.

`LMFORGE_FAULT=NAME:KIND[:N]` injects KIND at the N-th visit of the point NAME, the first by default; several are
separated by commas and act in that order. `LMFORGE_FAULT_RECORD=FILE` adds the name of every point that is passed to
FILE, so that a driver can go through all of them. Both are read at the first point of a process.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

from lmforge.errors import InputError

VARIABLE, RECORD = "LMFORGE_FAULT", "LMFORGE_FAULT_RECORD"
KINDS = ("kill9", "sigterm", "enospc", "eio", "exception", "truncate", "bitflip")


def point(name: str, file: Path | None = None) -> None:
    """A place where a fault may strike.

    file: what `truncate` cuts in half, and where `bitflip` turns the middle bit; the others ignore it.
    """
    plan = _plan()
    if plan is not None:
        plan.visit(name, file)


class _Fault(NamedTuple):
    name: str
    kind: str
    visit: int


class _Plan:
    """The faults of this process, and how often each point was visited."""

    def __init__(self, faults: list[_Fault], record: str | None) -> None:
        self.faults, self.record = faults, record
        self.visits: Counter[str] = Counter()

    def visit(self, name: str, file: Path | None) -> None:
        self.visits[name] += 1
        if self.record:
            with Path(self.record).open("a", encoding="utf-8") as record:
                record.write(f"{name}\n")
        for fault in self.faults:
            if (fault.name, fault.visit) == (name, self.visits[name]):
                _strike(fault, file)


@cache
def _plan() -> _Plan | None:
    faults = [_parse(one) for one in os.environ.get(VARIABLE, "").split(",") if one]
    record = os.environ.get(RECORD)
    return _Plan(faults, record) if faults or record else None


def _parse(text: str) -> _Fault:
    name, _, rest = text.partition(":")
    kind, _, visit = rest.partition(":")
    if not name or kind not in KINDS or not (visit or "1").isdigit():
        raise InputError(f"{VARIABLE}={text}: expected NAME:KIND[:N] with one of {', '.join(KINDS)}")
    return _Fault(name, kind, int(visit or 1))


def _strike(fault: _Fault, file: Path | None) -> None:
    if fault.kind in ("kill9", "sigterm"):
        os.kill(os.getpid(), signal.SIGKILL if fault.kind == "kill9" else signal.SIGTERM)
    elif fault.kind == "exception":
        raise RuntimeError(f"planted at {fault.name}")
    elif fault.kind in ("enospc", "eio"):
        number = errno.ENOSPC if fault.kind == "enospc" else errno.EIO
        raise OSError(number, os.strerror(number), str(file) if file else None)
    else:
        assert file is not None, f"{fault.kind} at {fault.name}, which has no file"
        damage = _truncate if fault.kind == "truncate" else _flip
        damage(file)


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _flip(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.seek(file.stat().st_size // 2)
        byte = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte[0] ^ 16]))
