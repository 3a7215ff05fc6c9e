"""What a person sees while a flow runs in their terminal: our own lines, and warnings of the libraries."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Its root logger's level would not do: SQLAlchemy sets one of its own, which goes before.
_CONSOLE_LEVEL = "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"


def show_progress(verbose: bool) -> None:
    """Print `lmforge` records to standard error; call before Prefect is imported, which sets up its own logging."""
    if not verbose:
        # What goes wrong reaches the person once, as our own message, instead of as a traceback a layer.
        os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"
        os.environ["PREFECT_LOGGING_ROOT_LEVEL"] = "ERROR"
        os.environ["PREFECT_LOGGING_SERVER_LEVEL"] = "CRITICAL"
    import prefect  # noqa: F401  sets the handlers that are changed below

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    ours = logging.getLogger("lmforge")
    ours.setLevel(logging.INFO)
    ours.addHandler(handler)
    ours.propagate = False


@contextmanager
def quiet_server(verbose: bool) -> Iterator[None]:
    """A temporary server that starts within says nothing: at its end it may print how its database was closed.

    It has the environment of this moment.
    """
    given = os.environ.get(_CONSOLE_LEVEL)
    if not (verbose or given):
        os.environ[_CONSOLE_LEVEL] = "CRITICAL"
    try:
        yield
    finally:
        if not (verbose or given):
            del os.environ[_CONSOLE_LEVEL]
