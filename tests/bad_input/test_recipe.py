"""Recipes, names, paths and the environment under bad input: refused before anything is read or made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmforge.doctor import examine
from lmforge.errors import InputError, RecipeError
from lmforge.home import Home
from lmforge.recipe import load_recipe
from tests.bad_input.project import Project, source
from tests.bad_input.recipe_cases import CASES, GOOD, NAMES, PATHS, RecipeCase

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "bad.yaml"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_recipe_is_refused_with_its_line(path: Path, case: RecipeCase) -> None:
    path.write_text(case.text if case.text.startswith("name:") else GOOD + case.text)
    with pytest.raises(InputError, match=case.says) as caught:
        load_recipe(path)
    assert caught.value.exit_code == 2
    assert str(caught.value).replace("\n", "").isprintable()
    assert len(str(caught.value)) < 5000


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:30])
def test_a_hostile_name_is_refused(path: Path, name: str) -> None:
    for recipe in (
        {"name": name, "corpus": {"sources": [{"path": "a.txt"}]}},
        {"name": "good", "model": {"from": "base"}, "tasks": [{"name": name, "data": {"path": "a.jsonl"}}]},
    ):
        path.write_text(json.dumps(recipe))
        with pytest.raises(RecipeError, match="name") as caught:
            load_recipe(path)
        assert str(caught.value).replace("\n", "").isprintable()
        assert len(str(caught.value)) < 1000


def test_space_around_a_name_is_none_of_it(path: Path) -> None:
    path.write_text(GOOD.replace("good", "' good '"))
    assert load_recipe(path).name == "good"


@pytest.mark.parametrize(("given", "says"), PATHS.values(), ids=PATHS)
def test_a_path_that_leads_out_of_the_project_stops(tmp_path: Path, given: str, says: str) -> None:
    (tmp_path / "secret.txt").write_text("a secret\n")
    project = Project(tmp_path / "project")
    with pytest.raises(InputError, match=says) as caught:
        project.collect(source(given))
    assert str(caught.value).isprintable()
    project.check_nothing_published("collect")


def test_nothing_of_the_environment_reaches_a_recipe_or_its_message(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    path.write_text("name: ${HF_TOKEN}\ncorpus: {sources: [{path: $HF_TOKEN}]}\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert "hf_canary" not in str(caught.value)
    path.write_text("name: a\ncorpus: {sources: [{path: $HF_TOKEN}]}\n")
    recipe = load_recipe(path)
    assert recipe.corpus is not None and recipe.corpus.sources[0].path == "$HF_TOKEN"


SURPRISING = {
    "PREFECT_API_URL": "http://elsewhere:4200/api",
    "PREFECT_API_KEY": "pnu_canary",
    "MLFLOW_TRACKING_PASSWORD": "canary",
    "PYTHONPATH": "/tmp/x",
    "LD_PRELOAD": "/tmp/x.so",
    "https_proxy": "http://user:canary@proxy:3128",
    "OMP_NUM_THREADS": "1000",
}


def test_doctor_shows_what_is_in_force_and_masks_what_is_secret(tmp_path: Path) -> None:
    checks = examine(Home(project=tmp_path, path=tmp_path / ".lmforge"), SURPRISING)
    found = {check.name: check for check in checks}
    assert {f"variable {name}" for name in SURPRISING} <= found.keys()
    for name in ("PREFECT_API_URL", "PYTHONPATH", "LD_PRELOAD", "OMP_NUM_THREADS"):
        assert found[f"variable {name}"].fix, name
    assert "canary" not in "".join(map(str, checks))
