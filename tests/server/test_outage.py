"""A real MLflow server that is killed while a program trains: no point is missing, none is there twice."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from lmforge.errors import LmforgeError
from lmforge.home import Home
from tasks import forwarding, tracking, training
from tasks.runs import tracked_run
from tests.servers import Server
from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]

# As the training program does: a row a step, another for each validation, a page of samples beside it. It waits for us
# before steps 21 and 41.
PROGRAM = """
import json, pathlib, sys, time
directory = pathlib.Path(sys.argv[1])
(directory / "samples").mkdir()
for step in range(1, 61):
    while step in (21, 41) and not (directory / f"go-{step}").exists():
        time.sleep(0.01)
    rows = [{"step": step, "train/loss": 5 / step, "train/gradient_norm": 1 / step}]
    if step % 20 == 0:
        (directory / "samples" / f"step-{step:09d}.md").write_text(f"# after {step}")
        rows.append({"step": step, "val/loss": 6 / step})
    with (directory / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\\n" for row in rows)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The small project with a home of its own, and MLflow as a server beside it."""
    make_project(tmp_path / "project", num_documents=8)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv("LMFORGE_HOME")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    home = Home.find().prepare()
    server = Server(home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.program.url)
    server.start()
    yield home, server
    server.kill()


def train(run, directory: Path, server: Server, *, comes_back: bool) -> str:
    """A training whose server is killed after its first steps, in the MLflow run whose id is returned."""

    def disturb() -> None:
        wait(lambda: forwarder.offset > 0)
        server.kill()
        (directory / "go-21").touch()
        wait(lambda: forwarder.away)
        if comes_back:
            server.start()
        (directory / "go-41").touch()

    with forwarding.training_run(run, directory, "pretrain", {"lmforge.kind": "pretrain"}, {}, {}) as forwarder:
        thread = threading.Thread(target=disturb)
        thread.start()
        training._follow([sys.executable, "-c", PROGRAM, str(directory)], forwarder)
        thread.join()
    return forwarder.run_id


def wait(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.01)


def check_complete(home: Home, run_id: str, directory: Path) -> None:
    """The points of every metric are those of the file; every page of samples is there; the run has ended."""
    rows = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    client = tracking.client(home)
    for name in ("train/loss", "train/gradient_norm", "val/loss"):
        points = [(one.step, one.value) for one in client.get_metric_history(run_id, name)]
        assert points == [(row["step"], row[name]) for row in rows if name in row]
    assert len(client.get_metric_history(run_id, "train/loss")) == 60
    pages = [one.path for one in client.list_artifacts(run_id, "samples")]
    assert pages == [f"samples/step-{step:09d}.md" for step in (20, 40, 60)]
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_server_that_comes_back_misses_nothing(project):
    home, server = project
    with tracked_run("recipes/tiny.yaml") as run:
        directory = run.training_directory("pretrain", "abc")
        run_id = train(run, directory, server, comes_back=True)
    check_complete(home, run_id, directory)
    assert forwarding.deliver(home) == 0


def test_a_server_that_stays_away_is_told_everything_when_the_next_run_starts(project):
    home, server = project
    finished = []
    message = r"MLflow at 127\.0\.0\.1:\d+ went away; what is finished is kept"
    with pytest.raises(LmforgeError, match=message), tracked_run("recipes/tiny.yaml") as run:
        directory = run.training_directory("pretrain", "abc")
        finished.append(train(run, directory, server, comes_back=False))
        raise OSError("what the next stage would meet")
    (run_id,) = finished  # the training itself ends as if nothing had been
    assert len((directory / "metrics.jsonl").read_text().splitlines()) == 63
    with pytest.raises(LmforgeError, match="takes no connection; start it"), tracked_run("recipes/tiny.yaml"):
        pass
    server.start()
    with tracked_run("recipes/tiny.yaml"):
        check_complete(home, run_id, directory)
