"""What all stages share, and what they tell MLflow; on a real store and a real SQLite registry, without a server."""

import json

import pytest
from prefect.logging import disable_run_logger

from lmforge.artifacts import Counts
from lmforge.artifacts.store import Outcome
from lmforge.errors import ContractError, InputError
from lmforge.explaining import FIRST, REUSED
from lmforge.home import Home
from lmforge.recipe import load_recipe
from lmforge.services.record import ServiceRecord
from tasks import registry, tracking
from tasks.collect import collect_corpus
from tasks.context import Run
from tasks.stage import make
from tests.tiny import make_project


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = make_project(tmp_path_factory.mktemp("stage") / "project", num_documents=400)
    home = Home(project=path.parents[1], path=path.parents[1] / ".lmforge")
    home.path.mkdir()
    recipe = load_recipe(path)
    experiment_id, run_id = tracking.start_parent(home, recipe, "recipes/tiny.yaml", ["seed=1"])
    return Run(recipe=recipe, recipe_path="recipes/tiny.yaml", home=home, run_id=run_id, experiment_id=experiment_id)


def test_collect_publishes_validates_and_logs_then_is_reused(run):
    with disable_run_logger():
        first = collect_corpus.fn(run)
        again = collect_corpus.fn(run)
    assert (first.name, again.name) == ("Completed", "Reused")
    assert first.data == again.data
    made, reused = list(run.journal())
    assert (made.cached, reused.cached) == (False, True)
    assert (made.why, reused.why) == (FIRST, REUSED)
    assert made.counts.read == 400
    assert (first.data.path / "logs" / "validation" / "data_docs.html").is_file()
    parent = tracking.client(run.home).get_run(run.run_id)
    assert parent.data.tags["stage.collect.key"] == made.key
    assert parent.data.tags["stage.collect.fingerprint"] == first.data.fingerprint
    assert parent.data.tags["lmforge.overrides"] == "seed=1"
    assert "seconds/collect" in parent.data.metrics
    assert parent.data.params["pretraining.learning_rate"] == "0.001"


def test_broken_promise_keeps_the_report_and_publishes_nothing(run):
    strict = run.model_copy(update={"recipe": load_recipe(
        run.home.project / run.recipe_path, ["expectations.raw_corpus.min_mean_words=1000"]
    )})  # fmt: skip
    with disable_run_logger(), pytest.raises(ContractError, match="min_mean_words") as caught:
        collect_corpus.fn(strict)
    assert str(strict.report_directory("collect")) in str(caught.value)
    assert (strict.report_directory("collect") / "data_docs.html").is_file()
    assert len(list((run.home.store / "collect").glob("[!.]*/manifest.json"))) == 1


def test_state_message_is_the_stage_line(run):
    state = make(run, "collect", {}, lambda out: Outcome(Counts()))
    assert state.message.startswith("collect ")
    assert "cached" in state.message


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_nested_run_ends_as_its_body_does(run, error, status):
    with pytest.raises(error), tracking.nested_run(run, "child", "test") as child:
        raise error
    found = tracking.client(run.home).get_run(child)
    assert found.info.status == status
    assert found.data.tags["mlflow.parentRunId"] == run.run_id


def test_runs_of_dead_processes_are_ended(run):
    tracker = tracking.client(run.home)
    dead = tracker.create_run(run.experiment_id, tags={"lmforge.kind": "pipeline"}).info.run_id
    record = ServiceRecord.of("pipeline", 1).model_copy(update={"uptime_at_start": 12345.0})
    (run.home.runs / dead).mkdir(parents=True)
    (run.home.runs / dead / "process.json").write_text(record.model_dump_json())
    tracking.reap(run.home, run.experiment_id)
    assert tracker.get_run(dead).info.status == "KILLED"
    assert tracker.get_run(run.run_id).info.status == "RUNNING", "this process is alive"


def test_dataset_input_has_our_fingerprint(run):
    with disable_run_logger():
        artifact = collect_corpus.fn(run).data
    with tracking.nested_run(run, "child", "test") as child:
        tracking.log_dataset(run.home, child, artifact, "raw", "pretraining")
    (given,) = tracking.client(run.home).get_run(child).inputs.dataset_inputs
    assert given.dataset.digest == artifact.fingerprint[:36]
    assert json.loads(given.dataset.source)["fingerprint"] == artifact.fingerprint
    assert given.tags[0].value == "pretraining"


def test_registry_is_empty_before_anything_is_registered(run):
    assert registry.aliases(run.home, "nothing") == {}
    assert registry.versions(run.home, "nothing") == []
    assert registry.find_version(run.home, "nothing", "f") is None
    with pytest.raises(InputError, match="no model is registered yet"):
        registry.model_directory(run.home, "models:/nothing@champion")


def test_aliases_are_read_back(run):
    tracker = tracking.client(run.home)
    tracker.create_registered_model("some")  # the source of its versions does not matter here
    for number in (1, 2):
        tracker.create_model_version("some", run.home.path.as_uri(), tags={registry.EVIDENCE_TAG: f"e{number}"})
    registry.set_alias(run.home, "some", registry.CHAMPION, "1")
    registry.set_alias(run.home, "some", registry.CHAMPION, "2")
    registry.tag_version(run.home, "some", "1", {"lmforge.state": "retired"})
    assert registry.aliases(run.home, "some") == {"champion": "2"}
    assert registry.find_version(run.home, "some", "e1").tags["lmforge.state"] == "retired"
    assert [str(one.version) for one in registry.versions(run.home, "some")] == ["2", "1"]


def test_tracking_leaves_the_environment_to_the_user(run, monkeypatch):
    import os

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.client(run.home)
    assert "MLFLOW_TRACKING_URI" not in os.environ
