"""What reaches MLflow of a training's directory, on a real SQLite store: once each, and nothing is lost."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from lmforge.home import Home
from lmforge.recipe import Recipe
from tasks import forwarding, tracking
from tasks.context import Run
from tasks.forwarding import Forwarder, Tracked


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    home = Home(project=Path.cwd(), path=tmp_path_factory.mktemp("home"))
    recipe = Recipe.model_validate({"name": "forward", "corpus": {"sources": [{"kind": "files", "path": "a.jsonl"}]}})
    experiment_id, run_id = tracking.start_parent(home, recipe, "forward.yaml", [])
    return Run(recipe=recipe, recipe_path="forward.yaml", home=home, run_id=run_id, experiment_id=experiment_id)


def write(directory: Path, *rows: dict[str, Any], end: str = "\n") -> None:
    with (directory / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n".join(json.dumps(row) for row in rows) + end)


def loss(step: int) -> dict[str, Any]:
    return {"step": step, "train/loss": 4.0 - step}


def losses(run: Run, child: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in tracking.client(run.home).get_metric_history(child, "train/loss")]


def status(run: Run, child: str) -> str:
    return str(tracking.client(run.home).get_run(child).info.status)


def training(run: Run, directory: Path, **params: Any) -> Any:
    return forwarding.training_run(run, directory, "pretrain", {"lmforge.kind": "pretrain"}, params, {})


def test_each_complete_line_and_file_goes_once(run, tmp_path):
    with training(run, tmp_path, max_steps=3) as forwarder:
        assert forwarder.forward(), "there is nothing yet"
        write(tmp_path, loss(1), {"step": 2, "train/loss": 2.0}, end="")
        forwarder.forward()
        assert losses(run, forwarder.run_id) == [(1, 3.0)], "half a line waits"
        write(tmp_path, end="\n")
        (tmp_path / "samples").mkdir()
        (tmp_path / "samples" / "step-000000002.md").write_text("# samples")
        (tmp_path / "samples" / ".step-000000003.md.partial").write_text("half")
        forwarder.forward()
        forwarder.forward()
        (tmp_path / "loss.png").write_bytes(b"png")
    child, tracker = forwarder.run_id, tracking.client(run.home)
    assert losses(run, child) == [(1, 3.0), (2, 2.0)]
    assert [one.path for one in tracker.list_artifacts(child, "samples")] == ["samples/step-000000002.md"]
    assert [one.path for one in tracker.list_artifacts(child, "figures")] == ["figures/loss.png"]
    found = tracker.get_run(child)
    assert (found.info.status, found.data.params["max_steps"]) == ("FINISHED", "3")
    assert found.data.tags["mlflow.parentRunId"] == run.run_id


def test_a_request_that_arrived_though_it_failed_is_not_sent_again(run, tmp_path):
    with training(run, tmp_path) as forwarder:
        write(tmp_path, loss(1), loss(2))
        tracking.log_metrics(run.home, forwarder.run_id, [loss(1)])
        forwarder.sure = False
        forwarder.forward()
        write(tmp_path, loss(3))
    assert losses(run, forwarder.run_id) == [(1, 3.0), (2, 2.0), (3, 1.0)]


def test_a_stopped_training_goes_on_in_its_run(run, tmp_path):
    with pytest.raises(KeyboardInterrupt), training(run, tmp_path, max_steps=4) as first:
        write(tmp_path, loss(1), loss(2))
        first.forward()
        raise KeyboardInterrupt
    assert status(run, first.run_id) == "KILLED"
    later = run.model_copy(update={"run_id": tracking.start_parent(run.home, run.recipe, "forward.yaml", [])[1]})
    # Steps after the checkpoint are measured again.
    (tmp_path / "metrics.jsonl").write_text("")
    with training(later, tmp_path, max_steps=4) as second:
        assert status(run, second.run_id) == "RUNNING"
        write(tmp_path, loss(1), loss(2), loss(3))
    assert second.run_id == first.run_id
    assert losses(run, first.run_id) == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert status(run, first.run_id) == "FINISHED"
    assert tracking.client(run.home).get_run(first.run_id).data.tags["mlflow.parentRunId"] == later.run_id


@pytest.mark.parametrize("kind", ["finished", "deleted", "of another store"])
def test_a_run_that_cannot_go_on_is_begun_anew(run, tmp_path, kind):
    with training(run, tmp_path) as first:
        write(tmp_path, loss(1))
    record = Tracked.model_validate_json((tmp_path / forwarding.RECORD).read_bytes())
    assert record.complete
    if kind == "deleted":
        tracking.client(run.home).delete_run(first.run_id)
        record.model_copy(update={"ended": None}).write(tmp_path)
    if kind == "of another store":
        record.model_copy(update={"ended": None, "tracking_uri": "sqlite:////elsewhere.db"}).write(tmp_path)
    with training(run, tmp_path) as second:
        pass
    assert second.run_id != first.run_id
    assert losses(run, second.run_id) == [(1, 3.0)]


def test_what_was_not_told_is_told_at_the_next_start_and_once(run, tmp_path, caplog):
    with training(run, tmp_path) as forwarder:
        pass
    home = Home(project=run.home.project, path=run.home.path)
    directory = home.path / "training" / "pretrain-abc"
    directory.mkdir(parents=True)
    write(directory, loss(1), loss(2))
    run_id = tracking.client(home).create_run(run.experiment_id).info.run_id
    Tracked(tracking_uri=home.tracking_uri, run_id=run_id, ended="FINISHED").write(directory)
    assert forwarding.deliver(home) == 1
    assert forwarding.deliver(home) == 0
    assert losses(run, run_id) == [(1, 3.0), (2, 2.0)]
    assert status(run, run_id) == "FINISHED"
    assert forwarder.run_id != run_id


def test_a_training_that_goes_on_or_whose_run_is_gone_is_left_alone(run):
    for name, run_id, ended in (("a", "0" * 32, "FINISHED"), ("b", "1" * 32, None)):
        directory = run.home.path / "training" / name
        directory.mkdir(parents=True)
        write(directory, loss(1))
        Tracked(tracking_uri=run.home.tracking_uri, run_id=run_id, ended=ended).write(directory)
    assert forwarding.deliver(run.home) == 0
    records = [Tracked.model_validate_json((run.home.path / "training" / name / forwarding.RECORD).read_bytes())
               for name in "ab"]  # fmt: skip
    assert [record.complete for record in records] == [True, False]


def test_an_outage_is_told_once_and_the_program_goes_on(run, tmp_path, caplog):
    forwarder = Forwarder(run.home, "2" * 32, tmp_path)
    write(tmp_path, loss(1))
    with caplog.at_level(logging.WARNING, logger="lmforge.tracking"):
        assert not forwarder.forward()
        assert not forwarder.forward()
    assert len([one for one in caplog.records if "is sent again" in one.getMessage()]) == 1
    forwarder.run_id = tracking.client(run.home).create_run(run.experiment_id).info.run_id
    assert forwarder.forward()
    assert losses(run, forwarder.run_id) == [(1, 3.0)]


def test_a_server_that_takes_no_connection_is_found_away_at_once(run):
    import socket
    import time

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(OSError, match="refused"):
        forwarding._connect(f"http://127.0.0.1:{port}")
    assert time.monotonic() - started < 2
    forwarding._connect("sqlite:////nothing/to/connect/to.db")
