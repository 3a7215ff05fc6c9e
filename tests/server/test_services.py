"""`up`, `status` and `down` with real servers: everything comes up, nothing stays, and strangers are kept out."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

PROJECT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = {"pipeline/nightly", "prepare/data", "pretrain/base-model", "approval/person"}

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]


class Services(NamedTuple):
    """A home with both servers and a worker."""

    home: Path
    prefect: str
    mlflow: str
    started: dict[str, Any]


def lmforge(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=PROJECT, env=environment(home) | variables, capture_output=True, text=True, check=False,
    )  # fmt: skip


def environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_", "LMFORGE_"))}
    return kept | {"LMFORGE_HOME": str(home)}


def answer(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def free_ports() -> tuple[str, str]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1]), str(other.getsockname()[1])


def processes_of(home: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("LMFORGE_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("services") / "home"
    prefect, mlflow = free_ports()
    try:
        started = answer(lmforge(home, "up", "--prefect-port", prefect, "--mlflow-port", mlflow, "--json"))
        yield Services(home, f"http://127.0.0.1:{prefect}", f"http://127.0.0.1:{mlflow}", started)
    finally:
        lmforge(home, "down")


def test_up_brings_everything_up(services: Services) -> None:
    assert services.started["started"] == ["prefect", "mlflow", "worker"]
    rows = {row["name"]: (row["state"], row["url"]) for row in services.started["services"]}
    assert rows == {
        "prefect": ("running", services.prefect), "mlflow": ("running", services.mlflow), "worker": ("running", None),
    }  # fmt: skip


def test_deployments_are_there_and_the_schedule_is_planned(services: Services) -> None:
    deployments = {row["name"]: row for row in answer(lmforge(services.home, "status", "--json"))["deployments"]}
    assert set(deployments) == DEPLOYMENTS
    schedule = deployments["pipeline/nightly"]["schedules"][0]
    assert (schedule["cron"], schedule["timezone"], schedule["active"]) == ("0 3 * * *", "Europe/Berlin", True)


def test_status_in_words(services: Services) -> None:
    words = lmforge(services.home, "status").stdout
    assert f"prefect  running        {services.prefect} since 20" in words
    assert "cron 0 3 * * * Europe/Berlin" in words


def test_up_again_changes_nothing(services: Services) -> None:
    before = (services.home / "services.json").read_bytes()
    again = answer(lmforge(services.home, "up", "--json"))
    assert again["started"] == []
    assert (services.home / "services.json").read_bytes() == before
    assert {row["name"] for row in again["deployments"]} == DEPLOYMENTS


def test_runs_of_this_home_use_the_running_server(services: Services) -> None:
    code = (
        "from lmforge.home import Home; from lmforge.services.record import use_running_server; import sys;"
        "print(use_running_server(Home.find())); print('prefect' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT, env=environment(services.home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [f"{services.prefect}/api", "False"]


def test_prefect_refuses_web_pages_of_others(services: Services) -> None:
    forged = httpx.post(f"{services.prefect}/api/deployments/filter", json={}, trust_env=False)
    assert forged.status_code == 403
    for origin, allowed in (("http://evil.example", None), (services.prefect, services.prefect)):
        reply = httpx.get(f"{services.prefect}/api/health", headers={"Origin": origin}, trust_env=False)
        assert reply.headers.get("access-control-allow-origin") == allowed


def test_user_interface_speaks_to_its_own_server_with_a_token(services: Services) -> None:
    settings = httpx.get(f"{services.prefect}/ui-settings", trust_env=False).json()
    assert settings["api_url"] == f"{services.prefect}/api"
    assert settings["csrf_enabled"] is True
    page = httpx.get(f"{services.prefect}/v2/", headers={"Accept": "text/html"}, trust_env=False)
    assert page.status_code == 200


def test_mlflow_refuses_foreign_names_and_pages(services: Services) -> None:
    experiments = f"{services.mlflow}/api/2.0/mlflow/experiments"
    search = {"max_results": 1}
    assert httpx.post(f"{experiments}/search", json=search, trust_env=False).status_code == 200
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert httpx.post(f"{experiments}/search", json=search, headers=headers, trust_env=False).status_code == 403


def test_services_listen_on_this_machine_only(services: Services) -> None:
    records = json.loads((services.home / "services.json").read_text())
    family = [
        child
        for row in records.values()
        for child in (psutil.Process(row["pid"]), *psutil.Process(row["pid"]).children(recursive=True))
    ]
    listening = {c.laddr.ip for one in family for c in one.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_files_of_the_home_are_private(services: Services) -> None:
    modes = {path.name: path.stat().st_mode & 0o077 for path in services.home.rglob("*")}
    assert {"prefect.db", "mlflow.db", "services.json", "worker.log"} <= set(modes)
    assert set(modes.values()) == {0}


def test_a_dead_worker_is_told_and_replaced(services: Services) -> None:
    records = json.loads((services.home / "services.json").read_text())
    worker = psutil.Process(records["worker"]["pid"])
    worker.kill()
    worker.wait(timeout=10)
    document = answer(lmforge(services.home, "status", "--json"))
    assert [row["state"] for row in document["services"]] == ["running", "running", "died"]
    rows = {row["name"]: row for row in answer(lmforge(services.home, "doctor", "--json"))["checks"]}
    assert rows["service worker"]["state"] == "warning"
    assert answer(lmforge(services.home, "up", "--json"))["started"] == ["worker"]


def test_a_foreign_host_is_refused(tmp_path: Path) -> None:
    refused = lmforge(tmp_path / "home", "up", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "no authentication" in refused.stderr
    assert not (tmp_path / "home" / "services.json").exists()


def test_what_was_started_is_stopped_when_the_rest_fails(tmp_path: Path) -> None:
    home = tmp_path / "home"
    prefect, mlflow = free_ports()
    failed = lmforge(
        home,
        "up",
        "--prefect-port",
        prefect,
        "--mlflow-port",
        mlflow,
        MLFLOW_TRACKING_URI="nosuch://me:hunter2@here/db",
    )
    assert failed.returncode == 1
    assert "mlflow ended with exit code" in failed.stderr
    assert "hunter2" not in failed.stderr
    assert str(home / "logs" / "mlflow.log") in failed.stderr
    assert json.loads((home / "services.json").read_text()) == {}
    assert processes_of(home) == []


def test_interrupted_up_leaves_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    prefect, mlflow = free_ports()
    command = [sys.executable, "-m", "flows.cli", "up", "--prefect-port", prefect, "--mlflow-port", mlflow]
    up = subprocess.Popen(command, cwd=PROJECT, env=environment(home), stderr=subprocess.PIPE, text=True)
    assert up.stderr is not None
    assert up.stderr.readline().startswith("starting prefect")
    assert up.stderr.readline().startswith("starting mlflow")
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=60) == 130
    up.stderr.close()
    assert json.loads((home / "services.json").read_text()) == {}
    assert processes_of(home) == []


def test_down_leaves_nothing(services: Services) -> None:
    assert answer(lmforge(services.home, "down", "--json"))["stopped"] == ["worker", "prefect", "mlflow"]
    assert processes_of(services.home) == []
    again = lmforge(services.home, "down")
    assert (again.returncode, again.stdout) == (0, "nothing runs\n")
    states = {row["state"] for row in answer(lmforge(services.home, "status", "--json"))["services"]}
    assert states == {"stopped"}
