"""A real MLflow server that is killed, or whose answers are lost, at every step of a promotion and of a rollback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from tasks.ledgers import check_ledger
from tests.outages import broken, kill_server, lose_answer, served_registry, unfinished
from tests.registries import NAME
from tests.servers import Server

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """Version 1 in production and 2 judged against it, or 2 in its place; clients ask once."""
    with served_registry(tmp_path_factory.mktemp("registry")) as held:
        yield held


@pytest.fixture(params=["promotion", "rollback"])
def case(request, registry):
    return registry.undisturbed(request.param)


def test_an_answer_that_is_lost_is_told_and_the_same_command_finishes(case, registry):
    num_told = 0
    for number in range(1, case.num_requests + 1):
        told, wrong = lose_answer(registry, case, number)
        assert wrong == [], number
        num_told += told
    assert num_told > case.num_requests / 2 > case.num_writes


def test_an_answer_that_is_lost_once_is_asked_for_again(case, registry, monkeypatch):
    """Every fourth of them: what is lost is the same as above."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    for number in range(1, case.num_requests + 1, 4):
        home = registry.begin(case.before, lost=number)
        case.action(home, case.version)
        assert unfinished(registry, case, home) == [], number


def test_a_server_killed_at_any_write_leaves_the_old_or_the_new_and_what_was_begun_is_finished(case, registry):
    assert case.num_writes >= 6
    for number in range(1, case.num_writes + 1):
        assert kill_server(registry, case, number) == [], number


def test_a_promotion_outlives_a_restart_of_the_server(registry, monkeypatch):
    case = registry.undisturbed("promotion")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    home, waiting = registry.begin(case.before, killed=3), threading.Thread(target=restart_when_killed, args=[registry])
    waiting.start()
    case.action(home, case.version)
    waiting.join()
    assert broken(registry, case) == []
    assert check_ledger(home, NAME) == []


def restart_when_killed(registry):
    while registry.running.process is not None:
        time.sleep(0.01)
    registry.restart()


def test_another_version_in_production_is_seen(registry):
    """What the tests above and the benchmark look at would tell."""
    case = registry.undisturbed("promotion")
    home = registry.begin(case.before)
    assert any(words.startswith("ends as") for words in unfinished(registry, case, home))
    registry.seen.add(None)
    (words,) = broken(registry, case)
    assert words.startswith("in production were")


@pytest.mark.parametrize("verb", ["promote", "rollback", "history"])
def test_the_command_line_says_which_server_is_away(verb, registry, tmp_path):
    """At once: MLflow's own client would try for minutes."""
    arguments = {"promote": [f"{NAME}/2"], "rollback": [NAME, "--reason", "worse"], "history": [NAME]}[verb]
    gone = Server(registry.home)
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", verb, *arguments, "--json"],
        env=os.environ | {"MLFLOW_TRACKING_URI": gone.program.url, "LMFORGE_HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert (done.returncode, document["exit_code"]) == (1, 1)
    assert document["error"].startswith(f"MLflow at 127.0.0.1:{gone.port} takes no connection; start it")
    assert "Traceback" not in done.stderr
