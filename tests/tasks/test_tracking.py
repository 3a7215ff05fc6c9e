"""What MLflow's pages need to show the runs of a recipe as what they are."""

from __future__ import annotations

from tasks import tracking


def test_an_experiment_says_what_its_rows_are(home):
    made = tracking.experiment(home, "demo")
    tags = tracking.client(home).get_experiment(made).tags
    assert "lmforge compare" in tags["mlflow.note.content"]
    assert tracking.experiment(home, "demo") == made


def test_a_document_that_was_not_logged_is_empty(home):
    run = tracking.client(home).create_run(tracking.experiment(home, "demo")).info.run_id
    assert tracking.logged(home, run, "recipe.json") == {}
    tracking.client(home).log_dict(run, {"seed": 1}, "recipe.json")
    assert tracking.logged(home, run, "recipe.json") == {"seed": 1}
