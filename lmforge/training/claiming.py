"""Who may write in a run directory: one process at a time, and never one that another has replaced.

The lock belongs to the kernel, so that of a dead process is free at once. It does not hold everywhere (a network file
system without locks, a lock file that somebody deleted); therefore every claim also has a number, greater than all
before it, and a writer asks whether its own is still the last.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from lmforge.errors import TrainingError
from lmforge.training.durable import write_file
from lmforge.training.stopping import PARENT
from lmforge.wording import shown

_LOCK, _OWNER = ".lock", "owner.json"
# A program whose pipeline was killed finishes its step and writes a checkpoint; the next one waits for that.
LOCK_SECONDS = 60.0
_RETRY_SECONDS = 0.1


class Claim:
    """A run directory that this process holds; `token` grows with every claim of it."""

    def __init__(self, run_dir: Path, token: int) -> None:
        self.run_dir, self.token = run_dir, token

    def check(self) -> None:
        """Raise TrainingError when another process has claimed the directory since."""
        owner = _read_owner(self.run_dir)
        if owner.get("token") != self.token:
            taker = f" but by {_words(owner)}" if owner else ""
            raise TrainingError(
                f"{shown(str(self.run_dir), 200)}: no longer held by this process{taker}; it stops and leaves "
                "everything there as it is"
            )


@contextmanager
def claimed(run_dir: Path) -> Iterator[Claim]:
    """Hold the run directory, which is made if need be.

    Raises TrainingError at once, naming the holder, while another process trains there. A holder whose pipeline is gone
    is about to end and is waited for.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run_dir / _LOCK)
    _acquire(lock, run_dir)
    try:
        token = int(_read_owner(run_dir).get("token", 0)) + 1
        write_file(run_dir / _OWNER, json.dumps(_this_process() | {"token": token}).encode(), "train.claim")
        yield Claim(run_dir, token)
    finally:
        lock.release()


def _acquire(lock: FileLock, run_dir: Path) -> None:
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            lock.acquire(timeout=0)
            return
        except Timeout as error:
            owner = _read_owner(run_dir)
            if time.monotonic() > until or not _is_ending(owner):
                raise TrainingError(
                    f"{shown(str(run_dir), 200)}: another process trains here: {_words(owner)}; wait for it, or stop it"
                ) from error
        time.sleep(_RETRY_SECONDS)


def _is_ending(owner: dict[str, Any]) -> bool:
    """Whether the lock is worth waiting for: its holder lost its pipeline, or has not yet written who it is."""
    if owner.get("host") not in (None, socket.gethostname()):
        return False
    if not psutil.pid_exists(owner.get("pid", -1)):
        return True
    parent = owner.get("parent")
    return parent is not None and not psutil.pid_exists(parent)


def _this_process() -> dict[str, Any]:
    parent = os.environ.get(PARENT, "")
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "parent": int(parent) if parent.isdigit() else None,
    }


def _words(owner: dict[str, Any]) -> str:
    values = {name: shown(str(owner.get(name, "unknown"))) for name in ("pid", "host", "since")}
    return f"process {values['pid']} on {values['host']} since {values['since']}"


def _read_owner(run_dir: Path) -> dict[str, Any]:
    """Who claimed the directory last; empty when nobody did, or when that cannot be read."""
    try:
        owner = json.loads((run_dir / _OWNER).read_bytes())
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) and isinstance(owner.get("token"), int) else {}
