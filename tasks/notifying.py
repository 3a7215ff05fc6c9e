"""Tell others what happened to a registered model: a Prefect event, and a POST where the environment names a webhook.

Nothing here fails or holds up the work for more than seconds: what could not be told is a warning, and the ledger has
it all the same. Call it when the news is true already, and without a lock in hand.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx

from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.release.notice import Notice, Webhook, signed_headers, webhook_of
from lmforge.services.asking import is_healthy
from lmforge.services.record import use_running_server

logger = logging.getLogger("lmforge.notice")

LIMIT_SECONDS = 10.0
_TRY_SECONDS, _PAUSES_SECONDS = 4.0, (0.5, 2.0, None)


def notify(
    home: Home, notice: Notice, environment: Mapping[str, str] = os.environ, limit_seconds: float = LIMIT_SECONDS
) -> bool:
    """Send the event and the POST; False when the webhook did not take it, which is also a warning in the log."""
    _emit(home, notice)
    try:
        webhook = webhook_of(environment)
    except InputError as error:
        logger.warning("%s was not posted: %s", _named(notice), error)
        return False
    problem = _post(webhook, notice, limit_seconds) if webhook else ""
    if webhook and problem:
        logger.warning("%s was not taken by %s: %s", _named(notice), webhook.host, problem)
    return not problem


def _emit(home: Home, notice: Notice) -> None:
    """The event, where a Prefect server runs; without one there is nobody to hear it, and Prefect would start one."""
    if not _in_run():
        server = os.environ.get("PREFECT_API_URL") or use_running_server(home)
        if not server or not is_healthy(f"{server.rstrip('/')}/health"):
            return
    from prefect.events import emit_event

    resource = {"prefect.resource.id": f"lmforge.model.{notice.model}", "prefect.resource.name": notice.model}
    if notice.version:
        resource["lmforge.version"] = notice.version
    payload = notice.model_dump(mode="json", exclude={"what", "time"})
    emit_event(notice.event, resource=resource, payload=payload)


def _in_run() -> bool:
    """Whether this is part of a Prefect run, which has a server already."""
    if "prefect" not in sys.modules:  # a verb that never imported it need not wait for its import
        return False
    from prefect.context import get_run_context
    from prefect.exceptions import MissingContextError

    try:
        get_run_context()
    except MissingContextError:
        return False
    return True


def _post(webhook: Webhook, notice: Notice, limit_seconds: float) -> str:
    """Why it was not taken; empty when it was."""
    # Neither looking up a name nor a receiver that answers a byte a second has a time limit of its own.
    outcome: list[str] = []
    over = threading.Event()
    thread = threading.Thread(target=lambda: outcome.append(_deliver(webhook, notice, over)), daemon=True)
    thread.start()
    thread.join(limit_seconds)
    over.set()
    return outcome[0] if outcome else f"no answer within {limit_seconds:g} seconds"


def _deliver(webhook: Webhook, notice: Notice, over: threading.Event) -> str:
    problem, body = "", notice.body
    # A proxy has no business on this machine. Redirects are not followed: they would carry the notice elsewhere.
    with httpx.Client(timeout=_TRY_SECONDS, trust_env=not webhook.is_loopback, follow_redirects=False) as client:
        for pause in _PAUSES_SECONDS:
            headers = signed_headers(notice.id, body, webhook.secret.get_secret_value(), datetime.now(UTC))
            try:
                # Only the status counts; an answer may have any length.
                with client.stream("POST", webhook.url.get_secret_value(), content=body, headers=headers) as answer:
                    if answer.is_success:
                        return ""
                    problem = f"it answered {answer.status_code}"
                    if not answer.is_server_error and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                        return problem
            except httpx.HTTPError as error:
                problem = type(error).__name__  # its words may hold the address
            if pause is None or over.wait(pause):
                break
    return problem


def _named(notice: Notice) -> str:
    return f"the notice that {notice.model} version {notice.version} was {notice.what}"
