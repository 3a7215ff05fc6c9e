"""A home with six runs and three versions, shared by the tests that look back on them."""

from __future__ import annotations

import os

import pytest

from lmforge.home import Home
from tasks import registry, tracking
from tests.histories import History, recipe


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    project, mask = tmp_path_factory.mktemp("project"), os.umask(0o022)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in Home(project=project, path=project / ".lmforge").settings().items():
            patch.setenv(name, value)
        # MLflow sets it as well; an empty one means the home's own and is undone with the others.
        patch.setenv("MLFLOW_TRACKING_URI", "")
        yield History(project)
    os.umask(mask)


@pytest.fixture(scope="module")
def runs(history):
    """Oldest first: worse, better, the same again, another test set, stopped at its start, and a base model."""
    made = {"worse": history.evaluated(recipe(), wrong=60)}
    better, overrides = recipe(learning_rate=1e-3), ("tasks.section.finetuning.learning_rate=1e-3",)
    made["better"] = history.evaluated(better, wrong=20, version="2", overrides=overrides)
    made["again"] = history.evaluated(better, wrong=20, version="2", overrides=overrides)
    made["moved"] = history.evaluated(recipe(path="b.csv"), wrong=30, test="t2", version="3")
    made["stopped"] = history.end(history.start(recipe()), "KILLED")
    made["base"] = history.start(recipe("base"))
    facts = {"model": {"loss": 2.0, "perplexity": 7.389}, "floors": {"bigram": 4.0}}
    history.stage(made["base"], "evaluate-language", "1", {}, facts)
    history.end(made["base"], "FINISHED")
    with tracking.nested_run(made["worse"], "finetune-section", "finetune"):
        pass
    tracker = tracking.client(history.home)
    tracker.create_registered_model("demo-section")
    for version, name in zip("123", ("worse", "better", "moved"), strict=True):
        tags = {"lmforge.pipeline_run": made[name].run_id, registry.STATE_TAG: "registered"}
        tracker.create_model_version("demo-section", source=str(history.home.store), run_id=None, tags=tags)
        registry.set_alias(history.home, "demo-section", "challenger", version)
    registry.set_alias(history.home, "demo-section", "champion", "2")
    return {name: run.run_id for name, run in made.items()}
