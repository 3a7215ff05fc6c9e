"""A registry behind a real MLflow server that is killed, or whose answers are lost, while its champion is changed.

Each fault returns the promises that it broke, so that tests and the benchmark ask the same of it. What is in production
is read from the database itself, after every request.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from lmforge.errors import LmforgeError
from lmforge.home import Home
from lmforge.release.ledger import Entry, first_break
from tasks.ledgers import check_ledger
from tasks.promotion import INTENT_TAG, recover
from tasks.reaching import OutagesTold
from tests.registries import NAME, copied, home_at, promote, roll_back, whole, with_champion
from tests.servers import Proxy, Server

NO_ANSWER = r"MLflow at 127\.0\.0\.1:\d+ gave no answer; when it is back, run the same command again"
Action = Callable[[Home, str], None]


class Case(NamedTuple):
    """An action on the registry of a home, and how all stands after it when nothing is in the way."""

    before: Path
    action: Action
    version: str
    allowed: frozenset[str]
    end: tuple[object, ...]
    num_requests: int
    num_writes: int


class Registry:
    """A database with a server over it that clients reach through a proxy; the next server waits, to save time."""

    def __init__(self, path: Path, proxy: Proxy) -> None:
        self.home, self.proxy, self.seen = home_at(path / "home"), proxy, set[str | None]()
        self.places = (path / f"client-{number}" for number in range(10_000))
        self.home.path.mkdir()
        self.database = self.home.path / "mlflow.db"
        served = with_champion(path / "served").path
        replaced = copied(home_at(served), path / "replaced")
        promote(replaced, "2")
        self.templates: dict[str, tuple[Path, Action, str]] = {
            "promotion": (served, promote, "2"),
            "rollback": (replaced.path, roll_back, "1"),
        }
        self.load(served)
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

    def place(self) -> Home:
        """A client's home, new for each call."""
        home = home_at(next(self.places))
        home.path.mkdir()
        return home

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

    def begin(self, before: Path, *, lost: int = 0, killed: int = 0) -> Home:
        """The state before an action, a fault at one of its requests, and a home to act from."""
        self.load(before)
        self.proxy.reset(lost=lost, killed=killed)
        return self.place()

    def undisturbed(self, name: str) -> Case:
        """The action when nothing happens to it; `name` is `promotion` or `rollback`."""
        before, action, version = self.templates[name]
        home = self.begin(before)
        allowed = frozenset((self.aliases()["champion"], version))
        action(home, version)
        assert self.seen == allowed, self.seen
        return Case(before, action, version, allowed, self.standing(), self.proxy.num_requests, self.proxy.num_writes)


@contextmanager
def served_registry(path: Path) -> Iterator[Registry]:
    """A registry whose clients ask once, through a proxy; by default MLflow's try for four minutes."""
    with Proxy() as proxy:
        # Its templates are made without the server.
        registry = Registry(path, proxy)
        told = {"MLFLOW_TRACKING_URI": proxy.url, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
        before = {name: os.environ.get(name) for name in told}
        os.environ.update(told)
        try:
            yield registry
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            registry.stop()


def lose_answer(registry: Registry, case: Case, number: int) -> tuple[bool, list[str]]:
    """Lose the answer to a request: whether that was told, and what was broken by it or by the same command again."""
    home = registry.begin(case.before, lost=number)
    said = _said(home, case)
    # MLflow's client goes on without some of what it asks; then all is done at once.
    if said is None:
        return False, unfinished(registry, case, home)
    wrong = [] if re.match(NO_ANSWER, said) else [f"said: {said}"]
    wrong += broken(registry, case)
    case.action(home, case.version)
    return True, [*wrong, *unfinished(registry, case, home)]


def kill_server(registry: Registry, case: Case, number: int) -> list[str]:
    """Kill the server with a writing request and start the next one: what was broken meanwhile or is not as it was."""
    home = registry.begin(case.before, killed=number)
    # The second time it is still down.
    said = [_said(home, case) for _ in range(2)]
    wrong = [f"said: {one}" for one in said if not re.match(NO_ANSWER, one or "")]
    wrong += broken(registry, case)
    registry.restart()
    recover(home, NAME, whole)
    wrong += [f"begun and not ended: {one}" for one in registry.intents()]
    case.action(home, case.version)
    return [*wrong, *unfinished(registry, case, home)]


def broken(registry: Registry, case: Case) -> list[str]:
    """Never absent, never another one; the ledger is a chain, whatever has been interrupted."""
    named = {entry.to_version for entry in registry.ledger()}
    promises = {
        f"in production were {registry.seen}": registry.seen <= case.allowed,
        f"in production is {registry.aliases()}": registry.aliases().get("champion") in case.allowed,
        "the ledger is no chain": first_break(registry.ledger()) is None,
        f"the ledger names {named}": named <= case.allowed,
    }
    return [words for words, kept in promises.items() if not kept]


def unfinished(registry: Registry, case: Case, home: Home) -> list[str]:
    """What is not as it is when nothing was in the way."""
    found = registry.standing()
    wrong = [] if found == case.end else [f"ends as {found}, not as {case.end}"]
    return [*broken(registry, case), *wrong, *check_ledger(home, NAME)]


def _said(home: Home, case: Case) -> str | None:
    """What the command says of an answer that never came; None where it went through."""
    try:
        with OutagesTold():
            case.action(home, case.version)
    except LmforgeError as error:
        return str(error)
    return None
