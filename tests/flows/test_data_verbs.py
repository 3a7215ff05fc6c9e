"""`lmforge data report` and `lmforge peek` as a person or a script uses them."""

import json

import pytest
from prefect.logging import disable_run_logger
from typer.testing import CliRunner

from flows.cli.main import app
from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.recipe import load_recipe
from tasks import tracking
from tasks.context import Run
from tasks.label import label_examples
from tests.tiny import make_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    path = make_project(tmp_path_factory.mktemp("verbs") / "project", num_documents=160)
    home = Home(project=path.parents[1], path=path.parents[1] / ".lmforge")
    home.path.mkdir()
    loaded = load_recipe(path)
    experiment_id, run_id = tracking.start_parent(home, loaded, "recipes/tiny.yaml", [])
    run = Run(recipe=loaded, recipe_path="recipes/tiny.yaml", home=home, run_id=run_id, experiment_id=experiment_id)
    with disable_run_logger():
        label_examples.fn(run, loaded.tasks[0])
    return run


@pytest.fixture
def lmforge(project, monkeypatch):
    """Calls a verb in the project; returns what it printed. Errors come out as they are raised."""
    monkeypatch.chdir(project.home.project)
    monkeypatch.setenv("LMFORGE_HOME", str(project.home.path))

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def test_report_prints_where_the_page_is(lmforge, project):
    page = lmforge("data", "report").strip()
    assert page == str(project.directory / "data_report.html")
    assert "Data of tiny" in (project.directory / "data_report.html").read_text(encoding="utf-8")


def test_report_goes_where_it_is_sent_and_comes_as_json(lmforge, project, tmp_path):
    document = json.loads(lmforge("data", "report", "recipes/tiny.yaml", "--out", str(tmp_path / "x.html"), "--json"))
    assert document["page"] == str(tmp_path / "x.html")
    assert (tmp_path / "x.html").is_file()
    assert (document["recipe"], document["run_id"]) == ("tiny", project.run_id)
    assert [row["stage"] for row in document["stages"]] == ["label-section"]


def test_peek_shows_as_many_records_as_wanted(lmforge):
    lines = lmforge("peek", "label", "--records", "2", "--seed", "4").splitlines()
    assert lines[0].startswith("label-section: 2 of ")
    assert max(map(len, lines)) <= 80
    document = json.loads(lmforge("peek", "label-section", "--recipe", "tiny", "--records", "3", "--json"))
    assert len(document["records"]) == 3
    assert {"run_id", "recipe", "stage", "seed", "num_records", "records"} == document.keys()


def test_a_stage_that_the_run_lacks_is_refused(lmforge):
    with pytest.raises(InputError, match="clean: no data stage of this run; its stages: label-section"):
        lmforge("peek", "clean")


@pytest.mark.parametrize("arguments", [["peek", "label", "--records", "0"], ["peek"], ["data", "reprot"]])
def test_wrong_usage_is_exit_2(project, arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2
