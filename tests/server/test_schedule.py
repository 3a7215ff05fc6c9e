"""A schedule for real: services come up, the server plans the nights, the worker runs the deployed pipeline."""

import subprocess
import sys
import time

import pytest

from lmforge.services.asking import PrefectApi
from tests.command import answered, clean_environment, free_port
from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(540)]
WAIT_SECONDS = 400


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("schedule")
    make_project(directory)
    return directory


@pytest.fixture(scope="module")
def api(project):
    answered(project, "up", "--prefect-port", free_port(), "--mlflow-port", free_port())
    services = {one["name"]: one for one in answered(project, "status")["services"]}
    yield services["prefect"]["url"] + "/api"
    answered(project, "down")


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
        cwd=project, env=clean_environment(PREFECT_API_URL=api), check=True, capture_output=True,
    )  # fmt: skip

    def ended():
        with PrefectApi(api) as server:
            states = {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}
            return server.query("flow_runs", {"flow_runs": {"state": {"type": states}}})

    runs = wait_for(ended)
    assert runs and [run["state_name"] for run in runs] == ["Completed"], runs
    (listed,) = answered(project, "runs")["runs"]
    assert listed["status"] == "finished"
    (task,) = listed["tasks"]
    assert (task["registered_model"], str(task["version"])) == ("tiny-section", "1")
    answer = answered(project, "predict", "tiny-section/1", "A small game of cards")
    assert answer["predictions"][0]["label"] in ("games", "net", "science", "sound")
    with PrefectApi(api) as server:
        states = {task["name"].rsplit("-", 1)[0]: task["state_name"] for task in server.query("task_runs", {})}
    assert states["collect-corpus"] == "Completed"
    assert states["promote-model"] == "Completed"


def test_run_from_the_command_line_reports_to_the_same_server_and_reuses(project, api):
    document = answered(project, "run", "recipes/tiny.yaml")
    assert document["status"] == "finished"
    assert all(stage["cached"] for stage in document["stages"])
    with PrefectApi(api) as server:
        finished = server.query("flow_runs", {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}})
    assert len(finished) == 2
