"""Ctrl-C and SIGTERM in the middle of training: nothing is lost, and the message says how to go on."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lmforge.home import Home
from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
LONG = ["--set", "pretraining.max_steps=20000"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("interrupt")
    make_project(directory)
    return directory


def start(project, *arguments):
    ours = ("PREFECT_", "MLFLOW_", "LMFORGE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", "recipes/tiny.yaml", "--json", *arguments],
        cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def steps(project):
    """Steps that pre-training has logged so far."""
    files = list((project / ".lmforge" / "training").glob("pretrain-*/metrics.jsonl"))
    return [json.loads(line)["step"] for line in files[0].read_text().splitlines()] if files else []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_leaves_a_checkpoint_and_the_command_to_go_on(project, number, code):
    before = len(steps(project))
    process = start(project, *LONG)
    while len(steps(project)) < before + 3 and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "the same command goes on where it stopped" in errors
    assert "Traceback" not in errors
    document = json.loads(output)
    assert document["exit_code"] == code
    assert document["resume"] == "lmforge run recipes/tiny.yaml --json --set pretraining.max_steps=20000"
    assert [stage["name"] for stage in document["stages"]] == ["label-section", "collect", "clean", "tokenize"]
    assert list((project / ".lmforge" / "training").glob("pretrain-*/checkpoints/*.ckpt"))
    assert not list((project / ".lmforge" / "store" / "pretrain").glob("[!.]*/manifest.json"))


def test_second_start_went_on_where_the_first_stopped(project):
    logged = steps(project)
    assert logged == sorted(set(logged)), "no step twice, none out of order"


def test_stopped_runs_are_killed_in_mlflow(project):
    from tasks import tracking

    home = Home(project=project, path=project / ".lmforge")
    experiment = tracking.client(home).get_experiment_by_name("tiny").experiment_id
    runs = tracking.client(home).search_runs([experiment])
    assert len(runs) == 3
    assert {run.info.status for run in runs} == {"KILLED"}, "two pipelines and the training that both went on with"
