"""Whoever changes a registered model takes turns with the others.

The lock holds back the processes of one home; what is promoted from several machines goes through one of them, or
through a deployment with a concurrency limit. It is free as soon as its owner ends, however it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from filelock import FileLock, Timeout

from lmforge.errors import LmforgeError
from lmforge.hashing import hash_value, short
from lmforge.home import Home
from tasks import tracking

# Several promotions may wait for each other, and each loads a model.
LOCK_TIMEOUT_SECONDS = 900.0


@contextmanager
def only_one(home: Home, name: str, timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> Iterator[None]:
    """Hold the lock of a model's name. Raises LmforgeError when others still have it after `timeout_seconds`."""
    path = home.path / "locks" / f"model-{short(hash_value(name))}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=timeout_seconds):
            yield
    except Timeout as error:
        waited = f"{timeout_seconds:.0f} seconds"
        raise LmforgeError(f"{name}: another process has been changing it for {waited}; wait for its end") from error


def create_version(home: Home, name: str, uri: str, about: str, **facts: Any) -> str:
    """A new version of the files at `uri`, and the model if it is the first; returns its number.

    about: description of the model. facts: what `MlflowClient.create_model_version` takes. MLflow gives up after three
    clashes over one number, so registrations take turns.
    """
    from mlflow.exceptions import MlflowException

    tracker = tracking.client(home)
    with only_one(home, name):
        try:
            tracker.create_registered_model(name, description=about)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return str(tracker.create_model_version(name, uri, **facts).version)
