"""The state of a service tells what happened to it; the words tell what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lmforge.home import Home
from lmforge.services.describing import status_lines, up_lines
from lmforge.services.record import ServiceRecord, write_records
from lmforge.services.status import status_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Home(project=tmp_path, path=tmp_path / "home")


def states(home: Home) -> dict[str, str]:
    return {row["name"]: row["state"] for row in status_of(home)["services"]}


def test_nothing_runs(home: Home) -> None:
    document = status_of(home)
    assert states(home) == {"prefect": "stopped", "mlflow": "stopped", "worker": "stopped"}
    assert document["deployments"] == document["runs"] == []
    assert status_lines(document) == ["prefect  stopped", "mlflow   stopped", "worker   stopped"]


def test_dead_silent_and_running(home: Home) -> None:
    myself = ServiceRecord.of("worker", os.getpid())
    silent = {"name": "prefect", "port": 9, "url": "http://127.0.0.1:9"}
    dead = {"name": "mlflow", "port": 10, "url": "http://127.0.0.1:10", "boot_id": "another"}
    write_records(home, [myself, myself.model_copy(update=silent), myself.model_copy(update=dead)])
    assert states(home) == {"prefect": "not answering", "mlflow": "died", "worker": "running"}
    lines = status_lines(status_of(home))
    assert lines[1] == f"mlflow   died           http://127.0.0.1:10 see {home.logs / 'mlflow.log'}"
    assert lines[2].startswith("worker   running        since 20")


def test_registry_elsewhere_shows_no_password(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter2@mlflow.example")
    row = status_of(home)["services"][1]
    assert (row["state"], row["url"]) == ("elsewhere", "https://me:***@mlflow.example")


def full_document() -> dict[str, Any]:
    services = [("prefect", "http://p"), ("mlflow", "http://m"), ("worker", None)]
    nightly = {"active": True, "cron": "0 3 * * *", "timezone": "Europe/Berlin"}
    deployments = [
        ("pipeline/nightly", False, "2026-01-02 02:00:00Z", [nightly]),
        ("prepare/data", True, None, [{"active": False, "interval": 60.0}]),
        ("pretrain/base-model", False, None, []),
    ]
    runs = [
        (None, "pipeline", None, 0.0, "Pending"),
        ("prepare/data", "prepare", "2026-01-01 00:00:00Z", 12.4, "Completed"),
    ]
    return {
        "services": [{"name": name, "state": "running", "url": url, "since": None} for name, url in services],
        "deployments": [
            dict(zip(("name", "paused", "next_run", "schedules"), row, strict=True)) for row in deployments
        ],
        "runs": [dict(zip(("deployment", "flow", "started", "seconds", "state"), row, strict=True)) for row in runs],
    }


def test_deployments_and_runs_in_columns() -> None:
    lines = status_lines(full_document())
    assert lines[5] == "pipeline/nightly         2026-01-02 02:00:00Z  cron 0 3 * * * Europe/Berlin"
    assert lines[6] == "prepare/data             -                     every 60 s (paused) (all paused)"
    assert lines[7] == "pretrain/base-model      -                     by hand"
    assert lines[10] == "pipeline                 -                           0  Pending"
    assert lines[11] == "prepare/data             2026-01-01 00:00:00Z       12  Completed"


def test_a_server_that_fails_half_way_is_told() -> None:
    assert status_lines(full_document() | {"problem": "it broke"})[-1] == "it broke"


def test_what_to_try_next() -> None:
    words = "\n".join(up_lines(full_document() | {"started": ["prefect", "mlflow"]}))
    assert words.startswith("started prefect, mlflow\n")
    assert "PREFECT_API_URL=http://p/api prefect deployment run pipeline/nightly" in words
    assert "Completed" not in words
    assert up_lines(full_document() | {"started": []})[0] == "already up; the deployments are up to date"
