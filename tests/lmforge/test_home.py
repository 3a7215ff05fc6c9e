"""The home: found, moved, and everything kept inside it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lmforge.home import Home, project_root


@pytest.fixture(autouse=True)
def untouched_environment(monkeypatch):
    monkeypatch.delenv("LMFORGE_HOME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_project_is_the_nearest_directory_with_a_mark(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert project_root(inner) == inner, "no mark anywhere: the directory itself"
    (tmp_path / "prefect.yaml").write_text("")
    assert project_root(inner) == tmp_path
    (tmp_path / "a" / ".lmforge").mkdir()
    assert Home.find(inner).path == tmp_path / "a" / ".lmforge"


def test_home_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("LMFORGE_HOME", str(tmp_path / "moved"))
    assert Home.find(tmp_path).path == tmp_path / "moved"
    assert Home.find(tmp_path).project == tmp_path


def test_tracking_store_is_in_the_home_unless_the_user_names_one(tmp_path, monkeypatch):
    home = Home.find(tmp_path)
    assert home.tracking_uri == f"sqlite:///{tmp_path}/.lmforge/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg2://somewhere/mlflow")
    assert home.tracking_uri.startswith("postgresql")


def test_settings_keep_the_libraries_inside_and_quiet(tmp_path):
    code = (
        "import os; from lmforge.home import Home; Home.find().prepare(); import json;"
        "from prefect.settings import get_current_settings as s; c = s();"
        "print(json.dumps([str(c.home), c.server.analytics_enabled, c.api.url, os.environ['DO_NOT_TRACK'],"
        " os.environ['OMP_WAIT_POLICY'], oct(os.umask(0))]))"
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "DO_NOT", "OMP"))
    }
    environment.pop("LMFORGE_HOME", None)
    environment |= {"OMP_WAIT_POLICY": "active", "PYTHONPATH": str(Path.cwd())}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == (f'["{tmp_path}/.lmforge/prefect", false, null, "true", "active", "0o77"]'), (
        "the user's own setting wins, the place does not move"
    )
