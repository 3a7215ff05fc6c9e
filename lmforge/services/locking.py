"""One command at a time starts or stops the services of a home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from lmforge.errors import LmforgeError
from lmforge.home import Home

# Longer than either takes when all goes well, on a busy machine too.
LOCK_TIMEOUT_SECONDS = 60.0


@contextmanager
def only_one(home: Home, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> Iterator[None]:
    """Hold the lock of a home. Raises LmforgeError when another command still has it after `timeout_seconds`."""
    home.path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home.path / "services.lock")
    try:
        lock.acquire(timeout=timeout_seconds)
    except Timeout as error:
        raise LmforgeError(f"another command starts or stops the services of {home.path}; wait for its end") from error
    try:
        yield
    finally:
        lock.release()
