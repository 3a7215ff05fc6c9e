"""The command line as a person or a script uses it: exit codes, JSON, messages."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import make_project


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cli")
    make_project(directory, num_documents=40)
    return directory


def lmforge(project, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "LMFORGE_HOME"}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=project,
        env=environment | {"PYTHONPATH": str(Path.cwd()), "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_validate_says_what_it_checked(project):
    answer = lmforge(project, "validate", "recipes/tiny.yaml", "--json")
    document = json.loads(answer.stdout)
    assert answer.returncode == 0
    assert document["valid"] is True
    assert document["files"] == [str(project / "data" / "descriptions.jsonl")]
    assert "evaluate-section" in document["stages"]


def test_wrong_recipe_is_exit_2_with_all_problems(project):
    (project / "recipes" / "wrong.yaml").write_text("name: wrong\nseeed: 1\nmodel: {size: huge}\n")
    answer = lmforge(project, "validate", "recipes/wrong.yaml")
    assert answer.returncode == 2
    assert "wrong.yaml:2: seeed: unknown key; did you mean seed?" in answer.stderr
    assert "wrong.yaml:3: model.size" in answer.stderr
    assert "Traceback" not in answer.stderr
    document = json.loads(lmforge(project, "validate", "recipes/wrong.yaml", "--json").stdout)
    assert document["exit_code"] == 2
    assert "seeed" in document["error"]


def test_missing_data_is_exit_2(project):
    answer = lmforge(project, "validate", "recipes/tiny.yaml", "--set", "corpus.sources.0.path=data/nothing.jsonl")
    assert answer.returncode == 2
    assert "nothing.jsonl" in answer.stderr


def test_plan_lists_stages_and_reasons(project):
    answer = lmforge(project, "plan", "recipes/tiny.yaml")
    lines = answer.stdout.splitlines()
    assert answer.returncode == 0
    assert lines[0].split()[:3] == ["label-section", "to", "run"]
    assert "it never ran before" in lines[0]
    document = json.loads(lmforge(project, "plan", "recipes/tiny.yaml", "--json").stdout)
    assert {"name", "cached", "why", "key"} == document["stages"][0].keys()


def test_run_refuses_a_recipe_outside_the_project(project, tmp_path):
    foreign = tmp_path / "foreign.yaml"
    foreign.write_text((project / "recipes" / "tiny.yaml").read_text())
    answer = lmforge(project, "run", str(foreign))
    assert answer.returncode == 2
    assert "outside the project" in answer.stderr


def test_schema_is_a_json_schema(project):
    document = json.loads(lmforge(project, "schema").stdout)
    assert "corpus" in document["properties"]


@pytest.mark.parametrize("arguments", [["rnu"], ["run"], ["plan", "recipes/tiny.yaml", "--frobnicate"]])
def test_wrong_usage_is_exit_2_without_a_traceback(project, arguments):
    answer = lmforge(project, *arguments)
    assert answer.returncode == 2
    assert answer.stderr.startswith("lmforge: ")
    assert "Traceback" not in answer.stderr


def test_predict_without_a_model_says_what_to_do(project):
    answer = lmforge(project, "predict", "nothing", "some text")
    assert answer.returncode == 2
    assert "no model is registered yet: run a recipe first" in answer.stderr
