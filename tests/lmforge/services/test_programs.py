"""The command lines keep to this machine, close what is open by default, and show no password."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmforge.home import Home
from lmforge.services.programs import Program, is_remote, mlflow_server, prefect_server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Home(project=tmp_path, path=tmp_path / "home")


def option(program: Program, name: str) -> str:
    return program.command[program.command.index(name) + 1]


def test_prefect_server_is_closed_to_web_pages(home: Home) -> None:
    program = prefect_server(home, "127.0.0.1", 4242)
    assert (option(program, "--host"), option(program, "--port")) == ("127.0.0.1", "4242")
    assert program.environment["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"
    origins = program.environment["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    assert origins == ["http://127.0.0.1:4242", "http://localhost:4242", "http://[::1]:4242"]
    assert program.environment["PREFECT_UI_API_URL"] == "http://127.0.0.1:4242/api"


def test_mlflow_server_is_closed_to_foreign_hosts(home: Home) -> None:
    program = mlflow_server(home, "localhost", 5050)
    assert option(program, "--allowed-hosts") == "127.0.0.1:5050,localhost:5050,[::1]:5050"
    assert "*" not in option(program, "--cors-allowed-origins")
    assert option(program, "--artifacts-destination") == str(home.mlflow_artifacts)
    assert program.environment["MLFLOW_BACKEND_STORE_URI"] == f"sqlite:///{home.path}/mlflow.db"


def test_password_of_the_database_is_in_no_command_line(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:hunter2@db/mlflow")
    program = mlflow_server(home, "127.0.0.1", 5050)
    assert "hunter2" not in " ".join(program.command)
    assert "hunter2" in program.environment["MLFLOW_BACKEND_STORE_URI"]


def test_remote_tracking() -> None:
    assert is_remote("https://mlflow.example")
    assert not is_remote("sqlite:////x/mlflow.db")
    assert not is_remote("postgresql://db/mlflow")
