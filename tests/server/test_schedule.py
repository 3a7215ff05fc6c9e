"""A schedule for real: services come up, the server plans the nights, the worker runs the deployed pipeline."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from lmforge.services.asking import PrefectApi
from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(540)]
WAIT_SECONDS = 400


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("schedule")
    make_project(directory)
    return directory


def environment():
    ours = ("PREFECT_", "MLFLOW_", "LMFORGE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def lmforge(project, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments, "--json"],
        cwd=project, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.fixture(scope="module")
def api(project):
    lmforge(project, "up", "--prefect-port", free_port(), "--mlflow-port", free_port())
    services = {one["name"]: one for one in lmforge(project, "status")["services"]}
    yield services["prefect"]["url"] + "/api"
    lmforge(project, "down")


def wait_for(ask):
    """Ask until there is an answer; None when there was none in time."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(1)
    return None


def test_server_creates_the_runs_of_the_nightly_schedule(api):
    def scheduled():
        with PrefectApi(api) as server:
            runs = server.query("flow_runs", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
        return [run for run in runs if run["auto_scheduled"]]

    runs = wait_for(scheduled)
    assert runs, "the server planned nothing: check the versions of fastapi and SQLAlchemy"
    times = {run["expected_start_time"] for run in runs}
    assert len(times) == len(runs), "one run a night"


def test_worker_finishes_a_triggered_run_and_the_version_appears(project, api):
    trigger = ["deployment", "run", "pipeline/nightly", "--param", "recipe=recipes/tiny.yaml"]
    subprocess.run(
        [sys.executable, "-m", "prefect", *trigger],
        cwd=project, env=environment() | {"PREFECT_API_URL": api}, check=True, capture_output=True,
    )  # fmt: skip

    def ended():
        with PrefectApi(api) as server:
            states = {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}
            return server.query("flow_runs", {"flow_runs": {"state": {"type": states}}})

    runs = wait_for(ended)
    assert runs and [run["state_name"] for run in runs] == ["Completed"], runs
    (listed,) = lmforge(project, "runs")["runs"]
    assert listed["status"] == "finished"
    (task,) = listed["tasks"]
    assert (task["registered_model"], str(task["version"])) == ("tiny-section", "1")
    answer = lmforge(project, "predict", "tiny-section/1", "A small game of cards")
    assert answer["predictions"][0]["label"] in ("games", "net", "science", "sound")
    with PrefectApi(api) as server:
        states = {task["name"].rsplit("-", 1)[0]: task["state_name"] for task in server.query("task_runs", {})}
    assert states["collect-corpus"] == "Completed"
    assert states["promote-model"] == "Completed"


def test_run_from_the_command_line_reports_to_the_same_server_and_reuses(project, api):
    document = lmforge(project, "run", "recipes/tiny.yaml")
    assert document["status"] == "finished"
    assert all(stage["cached"] for stage in document["stages"])
    with PrefectApi(api) as server:
        finished = server.query("flow_runs", {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}})
    assert len(finished) == 2
