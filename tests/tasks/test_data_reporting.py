"""Which run's data are meant, and the page about them beside the run and in MLflow."""

import json

import pytest
from prefect.logging import disable_run_logger

from lmforge.errors import InputError, IntegrityError
from lmforge.home import Home
from lmforge.recipe import load_recipe
from tasks import tracking
from tasks.collect import collect_corpus
from tasks.comparing import find_run
from tasks.context import JOURNAL, Run
from tasks.data_reporting import PAGE, find_data, report_data, write_page
from tests.tiny import make_project


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that collected, and before it one of the same recipe and one of another that did nothing."""
    path = make_project(tmp_path_factory.mktemp("report") / "project", num_documents=120)
    home = Home(project=path.parents[1], path=path.parents[1] / ".lmforge")
    home.path.mkdir()
    other = path.with_name("other.yaml")
    other.write_text(path.read_text().replace("name: tiny", "name: other"))
    path.with_name("never.yaml").write_text(path.read_text().replace("name: tiny", "name: never"))
    runs = []
    for recipe in (path, other, path):
        loaded = load_recipe(recipe)
        experiment_id, run_id = tracking.start_parent(home, loaded, recipe.name, [])
        runs.append(Run(recipe=loaded, recipe_path=recipe.name, home=home, run_id=run_id, experiment_id=experiment_id))
    with disable_run_logger():
        collect_corpus.fn(runs[-1])
    return runs[-1]


@pytest.fixture(scope="module")
def made(run):
    return find_data(run.home).made


def test_the_page_is_beside_the_run_and_in_mlflow(run, made):
    from mlflow.artifacts import load_text

    with disable_run_logger():
        report_data.fn(run, made)
    local = (run.directory / PAGE).read_text(encoding="utf-8")
    logged = load_text(f"runs:/{run.run_id}/{PAGE}")
    assert f"Run <code>{run.run_id}</code>" in local
    assert 'href="data_docs/collect/data_docs.html"' in logged
    tracked = tracking.client(run.home).list_artifacts(run.run_id, "data_docs/collect")
    assert "data_docs/collect/data_docs.html" in {item.path for item in tracked}
    first, second = (text.split('id="verdicts"')[0] for text in (local, logged))
    assert first == second, "the links alone differ"


def test_links_lead_from_the_page_to_the_data_docs(run, tmp_path, made):
    found = find_data(run.home, run.run_id)
    write_page(found, tmp_path / "page.html")
    (address,) = [
        part.split('"')[0] for part in (tmp_path / "page.html").read_text().split('href="')[1:] if "docs" in part
    ]
    assert (tmp_path / address).resolve() == made["collect"].path / "logs" / "validation" / "data_docs.html"


def test_the_same_artifacts_give_the_same_page(run, tmp_path):
    found = find_data(run.home, run.run_id)
    pages = [tmp_path / "one.html", tmp_path / "two.html"]
    documents = [write_page(found, page) for page in pages]
    assert pages[0].read_bytes() == pages[1].read_bytes()
    assert documents[0] == documents[1] == json.loads(json.dumps(documents[0]))
    assert documents[0]["stages"][0]["read"] == 120


@pytest.mark.parametrize("named", [None, "latest", "tiny", "recipes/tiny.yaml"])
def test_a_run_is_named_by_recipe_file_recipe_name_or_age(run, named, monkeypatch):
    monkeypatch.chdir(run.home.project)
    found = find_data(run.home, named)
    assert (found.run_id, found.recipe, list(found.made)) == (run.run_id, "tiny", ["collect"])


def test_a_run_is_named_by_its_id_or_the_beginning(run):
    assert find_data(run.home, run.run_id[:10]).run_id == run.run_id
    assert find_run(run.home, "latest~1")[1] == "other"
    assert find_run(run.home, "latest~2")[1] == "tiny"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("recipes/never.yaml", "recipes/never.yaml has not run yet; start it: lmforge run recipes/never.yaml"),
        ("recipes/nothing.yaml", "nothing.yaml"),
        ("zzzzzz", "no run has this id"),
        ("\x1b[31m.yaml", r"\\x1b"),
    ],
)
def test_a_run_that_is_not_there_is_refused(run, named, message, monkeypatch):
    monkeypatch.chdir(run.home.project)
    with pytest.raises(InputError, match=message):
        find_data(run.home, named)


def test_a_run_without_data_has_no_page(run, tmp_path):
    found = find_data(run.home, "other")
    assert found.made == {}
    with pytest.raises(InputError, match=r"of other has no data stage"):
        write_page(found, tmp_path / PAGE)
    assert list(tmp_path.iterdir()) == []


def test_a_home_without_runs_says_how_to_start_one(tmp_path):
    with pytest.raises(InputError, match="there are no runs yet; start one"):
        find_data(Home(project=tmp_path, path=tmp_path / ".lmforge"))


def test_half_a_line_of_a_killed_run_is_passed_over(run):
    journal = run.directory / JOURNAL
    before = journal.read_text()
    journal.write_text(before + '{"name": "clean", "ki')
    try:
        assert list(find_data(run.home).made) == ["collect"]
    finally:
        journal.write_text(before)


def test_data_that_are_gone_or_damaged_are_not_reported(run, made):
    shard = made["collect"].path / "part-00000.parquet"
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + b"x")
    try:
        with pytest.raises(IntegrityError, match="part-00000"):
            find_data(run.home)
    finally:
        shard.write_bytes(content)
    place = made["collect"].path
    place.rename(place.with_name("elsewhere"))
    try:
        with pytest.raises(
            InputError, match=r"what stage collect made is no longer in the store.*lmforge run .*tiny\.yaml"
        ):
            find_data(run.home, str(run.home.project / "recipes" / "tiny.yaml"))
    finally:
        place.with_name("elsewhere").rename(place)


def test_a_page_cannot_be_written_everywhere(run, tmp_path):
    found = find_data(run.home)
    (tmp_path / "file").write_text("")
    for target in (tmp_path, tmp_path / "missing" / "page.html", tmp_path / "file" / "page.html"):
        with pytest.raises(InputError, match="cannot write to"):
            write_page(found, target)
    assert not any(path.suffix == ".partial" for path in tmp_path.iterdir())
