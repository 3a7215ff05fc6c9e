"""The doctor tells what is in force, hides what is secret, and looks only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lmforge.checking import Check
from lmforge.doctor import examine, masked
from lmforge.home import Home
from lmforge.services.record import ServiceRecord, write_records


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(project=tmp_path, path=tmp_path / "home")


def checks(home: Home, environment: dict[str, str] | None = None) -> dict[str, Check]:
    return {check.name: check for check in examine(home, environment or {})}


def test_every_row_that_is_not_fine_has_a_fix(home: Home) -> None:
    rows = checks(home, {"PREFECT_API_URL": "http://x", "LD_PRELOAD": "/x.so", "http_proxy": "http://p"}).values()
    assert {row.state for row in rows} >= {"ok", "warning"}
    assert all(bool(row.fix) == (row.state != "ok") for row in rows)


def test_looking_leaves_no_trace(home: Home) -> None:
    assert checks(home)["home"].found.endswith("(new)")
    assert list(home.project.iterdir()) == []
    home.path.mkdir()
    assert checks(home)["home"].found.endswith("(in use)")
    assert list(home.path.iterdir()) == []


def test_home_where_nothing_can_be_written() -> None:
    row = checks(Home(project=Path("/"), path=Path("/proc/self/home")))["home"]
    assert row.state == "problem"
    assert "LMFORGE_HOME" in row.fix


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("PREFECT_API_KEY", "pnu_abc", "***"),
        ("PREFECT_API_AUTH_STRING", "a:b", "***"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", '{"X": "abc"}', "***"),
        ("MLFLOW_TRACKING_PASSWORD", "abc", "***"),
        ("MLFLOW_FLASK_SERVER_SECRET_KEY", "abc", "***"),
        ("HF_TOKEN", "abc", "***"),
        ("LMFORGE_WEBHOOK_URL", "https://hooks/abc", "***"),
        ("LMFORGE_WEBHOOK_SECRET", "abc", "***"),
        ("MLFLOW_TRACKING_URI", "postgresql://a:abc@db/x", "postgresql://a:***@db/x"),
        ("https_proxy", "http://a:abc@proxy:1", "http://a:***@proxy:1"),
        ("OMP_NUM_THREADS", "2", "2"),
        ("PYTHONPATH", "/a\x1b[2J", "/a\\x1b[2J"),
    ],
)
def test_secrets_are_masked(home: Home, name: str, value: str, shown: str) -> None:
    assert masked(name, value) == shown
    row = checks(home, {name: value})[f"variable {name}"]
    assert row.found == shown
    assert "abc" not in row.fix


def test_only_watched_variables_are_shown(home: Home) -> None:
    names = checks(home, {"HOME": "/root", "AWS_SECRET_ACCESS_KEY": "x", "OMP_NUM_THREADS": "1"})
    assert [name for name in names if name.startswith("variable ")] == ["variable OMP_NUM_THREADS"]


def test_it_says_where_notices_go_or_why_they_do_not(home: Home) -> None:
    assert "notices" not in checks(home)
    named = {"LMFORGE_WEBHOOK_URL": "https://hooks.example/T0/B0"}
    row = checks(home, named)["notices"]
    assert (row.state, row.found) == ("warning", "LMFORGE_WEBHOOK_SECRET: shorter than 24 bytes")
    assert row.fix == "make one: openssl rand -base64 32"
    row = checks(home, named | {"LMFORGE_WEBHOOK_SECRET": "0123456789abcdef01234567"})["notices"]
    assert (row.state, row.found) == ("ok", "posted to hooks.example")


def test_variables_that_change_the_work_are_warned_of(home: Home) -> None:
    ours = home.settings()
    rows = checks(
        home,
        {
            "OMP_NUM_THREADS": str((os.cpu_count() or 1) + 1),
            "PREFECT_API_URL": "http://elsewhere/api",
            "DO_NOT_TRACK": "false",
            "MLFLOW_DISABLE_TELEMETRY": "false",
            "PREFECT_HOME": "/elsewhere",
            "HF_HUB_OFFLINE": ours["HF_HUB_OFFLINE"],
        },
    )
    states = {name.removeprefix("variable "): row.state for name, row in rows.items() if name.startswith("variable ")}
    assert states == {
        "HF_HUB_OFFLINE": "ok", "MLFLOW_DISABLE_TELEMETRY": "warning", "OMP_NUM_THREADS": "warning",
        "PREFECT_API_URL": "warning", "PREFECT_HOME": "ok",
    }  # fmt: skip
    assert "true" in rows["variable MLFLOW_DISABLE_TELEMETRY"].fix


@pytest.mark.parametrize(
    ("environment", "warned"),
    [
        ({"http_proxy": "http://p"}, True),
        ({"HTTPS_PROXY": "http://p", "NO_PROXY": "internal"}, True),
        ({"http_proxy": "http://p", "no_proxy": "internal, 127.0.0.1"}, False),
        ({"http_proxy": "http://p", "NO_PROXY": "*"}, False),
        ({"no_proxy": "internal"}, False),
    ],
)
def test_a_proxy_must_not_stand_before_our_servers(home: Home, environment: dict[str, str], warned: bool) -> None:
    assert ("proxy" in checks(home, environment)) is warned


def test_project_outside_of_any_repository(home: Home) -> None:
    assert checks(home)["git"].state == "warning"
    (home.project / ".git").mkdir()
    assert checks(home)["git"].state == "ok"


def test_services_that_died_or_cannot_be_told(home: Home) -> None:
    assert checks(home)["service worker"].found == "stopped"
    write_records(home, [ServiceRecord.of("worker", os.getpid()).model_copy(update={"boot_id": "another"})])
    row = checks(home)["service worker"]
    assert (row.state, row.found) == ("warning", "died")
    home.services.write_text("{")
    assert checks(home)["services"].state == "problem"
