"""What runs, what is planned and how the last runs ended, as one document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lmforge.errors import LmforgeError
from lmforge.home import Home
from lmforge.services.addresses import without_password
from lmforge.services.asking import PrefectApi, is_healthy
from lmforge.services.launching import log_of
from lmforge.services.programs import is_remote
from lmforge.services.record import ServiceRecord, is_alive, read_records

_SERVICES = ("prefect", "mlflow", "worker")
_NUM_LAST_RUNS = 10


def status_of(home: Home) -> dict[str, Any]:
    """The services; and from the Prefect server, if it runs, the deployments and the last runs. Times are UTC.

    The state of a service is `running`, `not answering`, `stopped` (as it should be), `died`, or `elsewhere`.
    """
    records = read_records(home)
    services = [_service(home, name, records.get(name)) for name in _SERVICES]
    document: dict[str, Any] = {"home": str(home.path), "services": services, "deployments": [], "runs": []}
    prefect = records.get("prefect")
    if services[0]["state"] == "running" and prefect is not None:
        try:
            with PrefectApi(f"{prefect.url}/api") as api:
                document |= _planned_and_done(api)
        except LmforgeError as error:
            document["problem"] = str(error)
    return document


def _service(home: Home, name: str, record: ServiceRecord | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "state": _state(record), "url": None, "since": None, "pid": None}
    if record is None:
        if name == "mlflow" and is_remote(home.tracking_uri):
            return row | {"state": "elsewhere", "url": without_password(home.tracking_uri)}
        return row
    if row["state"] != "died":
        row |= {"since": _utc(datetime.fromtimestamp(record.started, UTC)), "pid": record.pid}
    return row | {"url": record.url, "log": str(log_of(home, name))}


def _state(record: ServiceRecord | None) -> str:
    if record is None:
        return "stopped"
    if not is_alive(record):
        return "died"
    return "running" if record.health is None or is_healthy(record.health) else "not answering"


def _planned_and_done(api: PrefectApi) -> dict[str, Any]:
    flows = {flow["id"]: flow["name"] for flow in api.query("flows", {})}
    deployments = {
        row["id"]: row | {"full_name": f"{flows[row['flow_id']]}/{row['name']}"} for row in api.query("deployments", {})
    }
    last = api.query(
        "flow_runs",
        {
            "flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}},
            "sort": "EXPECTED_START_TIME_DESC",
            "limit": _NUM_LAST_RUNS,
        },
    )
    planned = [_deployment(api, row) for row in deployments.values()]
    runs = [
        {
            "id": run["id"],
            "flow": flows.get(run["flow_id"], "?"),
            "deployment": deployments.get(run["deployment_id"], {}).get("full_name"),
            "name": run["name"],
            "state": run["state_name"],
            "started": _utc(run["start_time"]),
            "seconds": run["total_run_time"],
        }
        for run in last
    ]
    return {"deployments": sorted(planned, key=lambda row: str(row["name"])), "runs": runs}


def _deployment(api: PrefectApi, row: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {"deployment_id": {"any_": [row["id"]]}, "state": {"type": {"any_": ["SCHEDULED"]}}}
    due = api.query("flow_runs", {"flow_runs": chosen, "sort": "EXPECTED_START_TIME_ASC", "limit": 1})
    return {
        "name": row["full_name"],
        "paused": row["paused"],
        "next_run": _utc(due[0]["expected_start_time"]) if due else None,
        "schedules": [{"active": one["active"]} | one["schedule"] for one in row["schedules"]],
    }


def _utc(time: datetime | str | None) -> str | None:
    if time is None:
        return None
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
