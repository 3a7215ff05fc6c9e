"""The registry of an MLflow server on PostgreSQL, and the same on SQLite: versions, aliases, promotions, metrics.

PostgreSQL takes part where Debian's package and psycopg2 are installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from lmforge.errors import IntegrityError, RefusedError
from tasks import registry, tracking
from tasks.forwarding import Forwarder
from tasks.ledgers import check_ledger, read_ledger
from tasks.turns import create_version
from tests.registries import NAME, act, home_at, judge, promote, promote_until_done, roll_back
from tests.server.test_outage import Server

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path("/initdb")).parent
INSTALLED = (PROGRAMS / "postgres").is_file() and importlib.util.find_spec("psycopg2") is not None
PASSWORD = "quite-secret"


def account() -> dict:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    found = known.get("postgres") or known["nobody"]
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}


@contextmanager
def postgres():
    """A server with one database, on loopback and a socket in a directory of its own; yields its address."""
    # Not below pytest's own directory, which only root may enter; the path of a socket has at most 107 characters.
    place = Path(tempfile.mkdtemp(prefix="lmforge-pg-"))
    data, password = place / "data", place / "password"
    password.write_text(PASSWORD)
    us = account()
    if us:
        for path in (place, password):
            os.chown(path, us["user"], us["group"])
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]

    def call(program: str, *arguments: str) -> None:
        command = [str(PROGRAMS / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=place, env={"LC_ALL": "C"}, **us)

    options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=16MB"
    try:
        call(
            "initdb", "-D", str(data), "-U", "lmforge", "-E", "UTF8", "--locale=C", "--no-sync",
            "-A", "scram-sha-256", "--pwfile", str(password),
        )  # fmt: skip
        call("pg_ctl", "-D", str(data), "-w", "-t", "60", "-l", str(place / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg2://lmforge:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(place)


@contextmanager
def sqlite():
    with tempfile.TemporaryDirectory(prefix="lmforge-sqlite-") as place:
        yield f"sqlite:///{place}/mlflow.db"


@pytest.fixture(scope="module", params=[sqlite, postgres] if INSTALLED else [sqlite], ids=lambda one: one.__name__)
def served(request, tmp_path_factory):
    """A home whose tracking URI is that of an MLflow server on a database."""
    home = home_at(tmp_path_factory.mktemp("served") / "home")
    home.path.mkdir()
    with pytest.MonkeyPatch.context() as patch, request.param() as database:
        # As `lmforge up` serves the database that MLFLOW_TRACKING_URI names.
        patch.setenv("MLFLOW_TRACKING_URI", database)
        server = Server(home)
        server.start()
        try:
            patch.setenv("MLFLOW_TRACKING_URI", server.program.url)
            yield home, server, database
        finally:
            server.kill()


@pytest.fixture
def home(served):
    return served[0]


def add(home, content: str = "weights") -> str:
    """A version whose files the server keeps: it takes none that are named by a path of this machine."""
    tracker = tracking.client(home)
    run = tracker.create_run(tracking.experiment(home, "models"))
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.safetensors"
        path.write_text(f"{content} {run.info.run_id}")
        tracker.log_artifact(run.info.run_id, str(path), "tiny/model")
    uri = f"{run.info.artifact_uri}/tiny"
    tags = {registry.STATE_TAG: "registered"}
    return create_version(home, NAME, uri, "tiny", tags=tags, run_id=run.info.run_id)


def beside(action, home, *arguments: str, **environment: str):
    return act(action, home, *arguments, MLFLOW_TRACKING_URI=os.environ["MLFLOW_TRACKING_URI"], **environment)


def test_two_versions_promotion_and_rollback(home):
    first, second = add(home), add(home)
    judge(home, first, against=None)
    promote(home, first)
    assert registry.aliases(home, NAME) == {"champion": first}
    judge(home, second, against=first)
    promote(home, second)
    assert registry.aliases(home, NAME) == {"champion": second, "previous_champion": first}
    assert registry.version_of(home, f"{NAME}@champion").tags[registry.STATE_TAG] == "champion"
    with pytest.raises(RefusedError, match=f"judged against version {first}, but version {second}"):
        promote(home, add_judged(home, against=first))
    roll_back(home, first)
    assert registry.aliases(home, NAME)["champion"] == first
    assert [entry.kind for entry in read_ledger(home, NAME)] == ["promote", "promote", "rollback"]
    assert check_ledger(home, NAME) == []


def add_judged(home, against):
    version = add(home)
    judge(home, version, against=against)
    return version


def test_a_version_that_does_not_answer_is_moved_back(home):
    champion = registry.aliases(home, NAME)["champion"]
    broken = add(home, content="broken")
    judge(home, broken, against=champion)
    with pytest.raises(IntegrityError, match="was moved back"):
        promote(home, broken)
    assert registry.aliases(home, NAME)["champion"] == champion
    assert check_ledger(home, NAME) == []


def test_killed_in_the_middle_the_next_command_finishes(home):
    version = add_judged(home, against=registry.aliases(home, NAME)["champion"])
    process = beside(promote, home, version, LMFORGE_FAULT="promote.previous:kill9")
    process.join()
    assert process.exitcode == -9
    promote(home, version)
    assert registry.aliases(home, NAME)["champion"] == version
    assert check_ledger(home, NAME) == []


def test_registrations_and_promotions_at_once(home):
    before = {str(one.version) for one in registry.versions(home, NAME)}
    registering = [beside(add, home) for _ in range(4)]
    for process in registering:
        process.join()
    assert [process.exitcode for process in registering] == [0] * 4
    new = sorted({str(one.version) for one in registry.versions(home, NAME)} - before, key=int)
    assert len(new) == 4
    num_moves = len(read_ledger(home, NAME))
    promoting = [beside(promote_until_done, home, version) for version in new]
    for process in promoting:
        process.join()
    assert [process.exitcode for process in promoting] == [0] * 4
    moves = [(entry.from_version, entry.to_version) for entry in read_ledger(home, NAME)]
    assert {after for _, after in moves[num_moves:]} == set(new)
    assert all(after[0] == earlier[1] for earlier, after in pairwise(moves))
    assert check_ledger(home, NAME) == []


def test_metrics_are_forwarded(home, tmp_path):
    run_id = tracking.client(home).create_run(tracking.experiment(home, "training")).info.run_id
    rows = [{"step": step, "train/loss": 5 / step} for step in range(1, 101)]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert Forwarder(home, run_id, tmp_path).end("FINISHED")
    points = tracking.client(home).get_metric_history(run_id, "train/loss")
    assert [(one.step, one.value) for one in points] == [(row["step"], row["train/loss"]) for row in rows]
    assert tracking.client(home).get_run(run_id).info.status == "FINISHED"
    assert Forwarder(home, run_id, tmp_path).forward()  # it asks first, and sends nothing twice
    assert len(tracking.client(home).get_metric_history(run_id, "train/loss")) == 100


def test_the_password_is_on_no_command_line(served):
    parent = psutil.Process(served[1].process.pid)
    lines = [" ".join(one.cmdline()) for one in (parent, *parent.children(recursive=True))]
    assert any("mlflow" in line for line in lines)
    assert not any(PASSWORD in line for line in lines)


def test_copies_of_what_the_server_keeps_do_not_pile_up(home, tmp_path):
    code = (
        "from lmforge.home import Home; from tasks import registry; "
        f"print(registry.model_directory(Home.find(), 'models:/{NAME}@champion'))"
    )
    places = {"TMPDIR": str(tmp_path), "LMFORGE_HOME": str(home.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | places, check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_without_a_server_the_artifacts_are_in_the_home(served, monkeypatch):
    home, _, database = served
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    found = tracking.client(home).get_experiment(tracking.experiment(home, "direct"))
    assert found.artifact_location == (home.mlflow_artifacts / "direct").as_uri()
