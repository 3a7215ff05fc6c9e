"""A real MLflow server that is killed, or whose answers are lost, at every step of a promotion and of a rollback.

What is in production is read from the database itself, after every request.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from lmforge.errors import LmforgeError
from lmforge.release.ledger import Entry, first_break
from tasks.ledgers import check_ledger
from tasks.promotion import INTENT_TAG, recover
from tasks.reaching import OutagesTold
from tests.registries import NAME, copied, home_at, promote, roll_back, whole, with_champion
from tests.servers import Proxy, Server

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]

CASES = {"promotion": ("served", promote, "2"), "rollback": ("replaced", roll_back, "1")}
NO_ANSWER = r"MLflow at 127\.0\.0\.1:\d+ gave no answer; when it is back, run the same command again"


class Registry:
    """A database with a server over it that clients reach through a proxy; the next server waits, to save time."""

    def __init__(self, template: Path, path: Path, proxy: Proxy) -> None:
        self.home, self.proxy, self.seen = home_at(path), proxy, set[str | None]()
        path.mkdir()
        self.database = path / "mlflow.db"
        self.load(template)
        self.running, self.next = self.server(), self.server()
        proxy.after, proxy.kill = self.look, lambda: self.running.kill()
        self.running.launch()
        self.go_on()

    def server(self) -> Server:
        return Server(self.home, f"sqlite:///{self.database}")

    def load(self, template: Path) -> None:
        """Put the content of another database into this one, below the running server."""
        with (
            closing(sqlite3.connect(template / "mlflow.db")) as source,
            closing(sqlite3.connect(self.database, timeout=30)) as own,
        ):
            source.backup(own)
        self.seen.clear()

    def go_on(self) -> None:
        self.next.launch()
        self.running.wait()
        self.proxy.port = self.running.port

    def restart(self) -> None:
        self.running, self.next = self.next, self.server()
        self.go_on()

    def stop(self) -> None:
        self.running.kill()
        self.next.kill()

    def ask(self, query: str) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as own:
            return own.execute(f"{query} AND name = '{NAME}' ORDER BY 1").fetchall()

    def aliases(self) -> dict[str, str]:
        rows = self.ask("SELECT alias, version FROM registered_model_aliases WHERE 1")
        return {alias: str(version) for alias, version in rows}

    def look(self) -> None:
        self.seen.add(self.aliases().get("champion"))

    def ledger(self) -> list[Entry]:
        rows = self.ask("SELECT key, value FROM registered_model_tags WHERE key LIKE 'lmforge.ledger.%'")
        return [Entry.model_validate_json(value) for _, value in rows]

    def intents(self) -> list[tuple[str, str]]:
        return self.ask(f"SELECT key, value FROM registered_model_tags WHERE key = '{INTENT_TAG}'")

    def standing(self) -> tuple[object, ...]:
        """Aliases, states, and what the ledger says, without its times."""
        states = self.ask("SELECT version, value FROM model_version_tags WHERE key = 'lmforge.state'")
        moves = [(entry.kind, entry.from_version, entry.to_version, entry.gate) for entry in self.ledger()]
        return self.aliases(), states, moves, self.intents()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Version 1 in production; 2 judged against it."""
    return with_champion(tmp_path_factory.mktemp("served") / "home").path


@pytest.fixture(scope="module")
def replaced(served, tmp_path_factory):
    """Version 2 has replaced version 1."""
    home = copied(home_at(served), tmp_path_factory.mktemp("replaced") / "home")
    promote(home, "2")
    return home.path


@pytest.fixture(scope="module")
def registry(served, replaced, tmp_path_factory):
    """Asked for before a client is told of the server, so that the templates are made without it."""
    with Proxy() as proxy:
        held = Registry(served, tmp_path_factory.mktemp("registry") / "home", proxy)
        yield held
        held.stop()


@pytest.fixture(autouse=True)
def one_try(registry, monkeypatch):
    """Clients of the proxy, which ask once: by default MLflow's tries for four minutes."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.proxy.url)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def place(tmp_path):
    """Makes a client's home, new for each call."""
    numbers = iter(range(1000))

    def make():
        home = home_at(tmp_path / f"client-{next(numbers)}")
        home.path.mkdir()
        return home

    return make


@pytest.fixture(params=CASES)
def case(request, registry, place):
    """The state before, an action on it, its version, and how all stands after it when nothing is in the way."""
    template, action, version = CASES[request.param]
    before = request.getfixturevalue(template)
    registry.load(before)
    old = registry.aliases()["champion"]
    registry.proxy.reset()
    action(place(), version)
    assert registry.seen == {old, version}
    return before, action, version, registry.standing(), (registry.proxy.num_requests, registry.proxy.num_writes)


def check_promises(registry, home, allowed, number):
    """Never absent, never another one; the ledger is a chain, whatever has been interrupted."""
    assert registry.seen <= allowed, number
    assert registry.aliases()["champion"] in allowed, number
    assert first_break(registry.ledger()) is None, number
    assert {entry.to_version for entry in registry.ledger()} <= allowed, number


def test_an_answer_that_is_lost_is_told_and_the_same_command_finishes(case, registry, place):
    before, action, version, end, (num_requests, num_writes) = case
    told = []
    for number in range(1, num_requests + 1):
        registry.load(before)
        home, allowed = place(), {registry.aliases()["champion"], version}
        registry.proxy.reset(lost=number)
        try:
            with OutagesTold():
                action(home, version)
        except LmforgeError as error:
            told.append(number)
            assert re.match(NO_ANSWER, str(error)), number
            check_promises(registry, home, allowed, number)
            action(home, version)
        # MLflow's client goes on without some of what it asks; then all is done at once.
        check_promises(registry, home, allowed, number)
        assert registry.standing() == end, number
        assert check_ledger(home, NAME) == [], number
    assert len(told) > num_requests / 2 > num_writes


def test_an_answer_that_is_lost_once_is_asked_for_again(case, registry, place, monkeypatch):
    """Every fourth of them: what is lost is the same as above."""
    before, action, version, end, (num_requests, _) = case
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    for number in range(1, num_requests + 1, 4):
        registry.load(before)
        home, allowed = place(), {registry.aliases()["champion"], version}
        registry.proxy.reset(lost=number)
        action(home, version)
        check_promises(registry, home, allowed, number)
        assert registry.standing() == end, number


def test_a_server_killed_at_any_write_leaves_the_old_or_the_new_and_what_was_begun_is_finished(case, registry, place):
    before, action, version, end, (_, num_writes) = case
    assert num_writes >= 6
    for number in range(1, num_writes + 1):
        registry.load(before)
        home, allowed = place(), {registry.aliases()["champion"], version}
        registry.proxy.reset(killed=number)
        with pytest.raises(LmforgeError, match=NO_ANSWER), OutagesTold():
            action(home, version)
        with pytest.raises(LmforgeError, match=NO_ANSWER), OutagesTold():
            action(home, version)  # it is still down
        check_promises(registry, home, allowed, number)
        registry.restart()
        recover(home, NAME, whole)
        assert registry.intents() == [], number
        action(home, version)
        check_promises(registry, home, allowed, number)
        assert registry.standing() == end, number
        assert check_ledger(home, NAME) == [], number


def test_a_promotion_outlives_a_restart_of_the_server(registry, served, place, monkeypatch):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    registry.load(served)
    registry.proxy.reset(killed=3)
    home, waiting = place(), threading.Thread(target=restart_when_killed, args=(registry,))
    waiting.start()
    promote(home, "2")
    waiting.join()
    check_promises(registry, home, {"1", "2"}, 3)
    assert check_ledger(home, NAME) == []


def restart_when_killed(registry):
    while registry.running.process is not None:
        time.sleep(0.01)
    registry.restart()


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
