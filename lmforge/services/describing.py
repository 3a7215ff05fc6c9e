"""The documents of `up` and `status` in words, for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def status_lines(document: Mapping[str, Any]) -> list[str]:
    """Services, then deployments, then the last runs, in columns; the parts that are empty are left out."""
    lines = [_service(row) for row in document["services"]]
    if document["deployments"]:
        lines += ["", f"{'deployment':<24} {'next run':<21} schedule"]
        lines += [_deployment(row) for row in document["deployments"]]
    if document["runs"]:
        lines += ["", f"{'last runs':<24} {'started':<21} {'seconds':>7}  state"]
        lines += [_run(row) for row in document["runs"]]
    return lines + (["", document["problem"]] if "problem" in document else [])


def up_lines(document: Mapping[str, Any]) -> list[str]:
    """What runs now, and what to try next."""
    addresses = {row["name"]: row["url"] for row in document["services"]}
    started = ", ".join(document["started"])
    head = f"started {started}" if started else "already up; the deployments are up to date"
    scheduled = (row["name"] for row in document["deployments"] if row["schedules"])
    name = next(scheduled, "FLOW/DEPLOYMENT")
    return [
        head, "", *status_lines({**document, "runs": []}), "",
        "next:", "  lmforge status",
        f"  open {addresses['prefect']} (flows and schedules) and {addresses['mlflow']} (runs, metrics, models)",
        f"  PREFECT_API_URL={addresses['prefect']}/api prefect deployment run {name}",
        "  lmforge down",
    ]  # fmt: skip


def _service(row: Mapping[str, Any]) -> str:
    line = f"{row['name']:<8} {row['state']:<14}"
    line += f" {row['url']}" if row["url"] else ""
    line += f" since {row['since']}" if row["since"] else ""
    line += f" see {row['log']}" if row["state"] in ("died", "not answering") else ""
    return line.rstrip()


def _deployment(row: Mapping[str, Any]) -> str:
    return f"{row['name']:<24} {row['next_run'] or '-':<21} {_schedules(row)}"


def _run(row: Mapping[str, Any]) -> str:
    what = row["deployment"] or row["flow"]
    return f"{what:<24} {row['started'] or '-':<21} {row['seconds']:>7.0f}  {row['state']}"


def _schedules(row: Mapping[str, Any]) -> str:
    words = [_schedule(one) for one in row["schedules"]] or ["by hand"]
    return ", ".join(words) + (" (all paused)" if row["paused"] else "")


def _schedule(one: Mapping[str, Any]) -> str:
    if one.get("cron"):
        words = f"cron {one['cron']} {one.get('timezone') or 'UTC'}"
    else:
        words = f"every {one['interval']:.0f} s" if one.get("interval") else str(one.get("rrule"))
    return words if one["active"] else f"{words} (paused)"
