"""Ask our servers over HTTP: health, and the Prefect API with its protection against cross-site requests.

Proxies of the environment are never used: every address is on this machine.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx

from lmforge.errors import LmforgeError
from lmforge.services.clients import WORK_POOL

_TIMEOUT_SECONDS = 10.0
_HEALTH_TIMEOUT_SECONDS = 2.0


def is_healthy(url: str) -> bool:
    """Whether a GET of `url` answers 200 within two seconds."""
    try:
        return httpx.get(url, timeout=_HEALTH_TIMEOUT_SECONDS, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def worker_polls(api: str, since: float) -> bool:
    """Whether a worker of our pool has reported to the server at `api` after `since`, in seconds since the epoch."""
    with PrefectApi(api) as prefect:
        workers = prefect.query(f"work_pools/{WORK_POOL}/workers", {})
    times = [datetime.fromisoformat(row["last_heartbeat_time"]) for row in workers if row["last_heartbeat_time"]]
    return any(time.timestamp() > since for time in times)


class PrefectApi:
    """A reader of one Prefect server, as a context manager. Raises LmforgeError when the server does not answer."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, trust_env=False)

    def __enter__(self) -> PrefectApi:
        # The server refuses every POST, even a query, without a token that it gave to this client.
        client = str(uuid.uuid4())
        try:
            token = self._send("GET", "/csrf-token", params={"client": client})["token"]
        except BaseException:
            self._client.close()
            raise
        self._client.headers.update({"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": token})
        return self

    def __exit__(self, *raised: object) -> None:
        self._client.close()

    def query(self, kind: str, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Objects of a kind (`deployments`, `flow_runs`, ...) that a filter document selects."""
        rows: list[dict[str, Any]] = self._send("POST", f"/{kind}/filter", json=filters)
        return rows

    def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._client.request(method, path, **options)
            response.raise_for_status()
            return response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise LmforgeError(
                f"{self._client.base_url}: the Prefect server does not answer {path}: {error}"
            ) from error
