"""Tell a tracking server that gave no answer from one that said no.

Nothing follows from an answer that never came: what was asked for may have been done. So an outage is never a refusal,
nor a reason to undo something; it ends the command, and the next one looks at what is there.
"""

from __future__ import annotations

import sys
from types import TracebackType
from urllib.parse import urlsplit

from lmforge.errors import LmforgeError
from lmforge.home import Home
from lmforge.services.programs import is_remote


def is_outage(error: BaseException | None) -> bool:
    """Whether a request that got no answer is what led to `error`; only MLflow's client asks this way here."""
    if "requests.exceptions" not in sys.modules:
        return False
    from requests.exceptions import HTTPError, RequestException

    while error is not None:
        # An HTTPError is an answer.
        if isinstance(error, RequestException) and not isinstance(error, HTTPError):
            return True
        # MLflow raises its own error without naming the cause, so the context is what tells.
        error = error.__cause__ or error.__context__
    return False


def address(home: Home) -> str:
    """The tracking server by host and port, for a message: its whole address may hold a password."""
    parts = urlsplit(home.tracking_uri)
    return f"MLflow at {parts.hostname}:{parts.port}" if parts.port else f"MLflow at {parts.hostname}"


def require_server(home: Home) -> None:
    """Raise LmforgeError when the tracking server takes no connection; MLflow's own client would try for minutes."""
    from tasks import forwarding

    if is_remote(home.tracking_uri) and forwarding.is_away(home):
        raise LmforgeError(
            f"{address(home)} takes no connection; start it, or unset MLFLOW_TRACKING_URI, and try again"
        )


class OutagesTold:
    """A context that turns what an outage raised into one LmforgeError with the server's address and what to do."""

    def __enter__(self) -> OutagesTold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not is_outage(error):
            return
        raise LmforgeError(
            f"{address(Home.find())} gave no answer; when it is back, run the same command again: it looks at what is "
            "there, and finishes or undoes what was begun"
        ) from error
