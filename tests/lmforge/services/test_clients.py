"""A worker finds our server and our flows, wherever it runs them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lmforge.home import Home
from lmforge.services.clients import client_environment, worker


def test_worker_reports_to_our_server_and_imports_our_flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    home = Home(project=tmp_path, path=tmp_path / "home")
    program = worker(home, "http://127.0.0.1:4242/api")
    assert " ".join(program.command[1:]) == "-m prefect worker start --pool lmforge --name lmforge"
    assert program.environment["PREFECT_API_URL"] == "http://127.0.0.1:4242/api"
    assert program.environment["LMFORGE_PROJECT"] == program.environment["PYTHONPATH"] == str(home.project)
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert client_environment(home, "x")["PYTHONPATH"] == f"{home.project}{os.pathsep}/elsewhere"
