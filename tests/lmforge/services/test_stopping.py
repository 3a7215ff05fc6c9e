"""Nothing is left of a stopped service, its children included, and strangers are left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lmforge.home import Home
from lmforge.services.record import ServiceRecord, is_alive, read_records, write_records
from lmforge.services.stopping import forget, stop_process, stop_services

SLEEP = "import time; time.sleep(60)"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}])
print(child.pid, flush=True)
child.wait()
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
# Tells in a file in which order the programs were asked to end.
ORDERLY = """
import pathlib, signal, sys, time
def note(number, frame):
    with pathlib.Path(sys.argv[1]).open("a") as file:
        print(sys.argv[2], file=file)
    raise SystemExit(0)
signal.signal(signal.SIGTERM, note)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(project=tmp_path, path=tmp_path / "home")


def start(name: str, code: str, *arguments: str) -> tuple[ServiceRecord, str]:
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return ServiceRecord.of(name, process.pid), process.stdout.readline().strip()


def test_children_end_with_their_parent() -> None:
    record, child = start("prefect", PARENT)
    assert psutil.pid_exists(int(child))
    stop_process(record)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(int(child)) and psutil.Process(int(child)).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not is_alive(record)


def test_what_does_not_listen_is_killed() -> None:
    record, _ = start("mlflow", DEAF)
    begin = time.monotonic()
    stop_process(record, grace_seconds=0.3)
    assert not is_alive(record)
    assert time.monotonic() - begin < 10


def test_runs_of_a_worker_end_before_it(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    code = """
import subprocess, sys
run = subprocess.Popen([sys.executable, "-c", sys.argv[3], sys.argv[1], "run"], stdout=subprocess.PIPE)
run.stdout.readline()
exec(sys.argv[3])
"""
    record, _ = start("worker", code, str(notes), "worker", ORDERLY)
    stop_process(record)
    assert notes.read_text().split() == ["run", "worker"]


def test_services_are_stopped_in_order_and_forgotten(home: Home, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    records = [start(name, ORDERLY, str(notes), name)[0] for name in ("mlflow", "prefect", "worker")]
    write_records(home, records)
    told: list[str] = []
    assert stop_services(home, told.append) == ["worker", "prefect", "mlflow"]
    assert notes.read_text().split() == ["worker", "prefect", "mlflow"]
    assert told == ["stopping worker", "stopping prefect", "stopping mlflow"]
    assert read_records(home) == {}


def test_stopping_twice_and_where_nothing_was(home: Home) -> None:
    assert stop_services(home, print) == []
    assert not home.path.exists()
    write_records(home, [])
    assert stop_services(home, print) == []


def test_a_dead_record_is_forgotten_and_its_successor_spared(home: Home) -> None:
    stranger = ServiceRecord.of("worker", os.getpid()).model_copy(update={"uptime_at_start": 1.0})
    write_records(home, [stranger])
    assert stop_services(home, print) == []
    assert read_records(home) == {}


def test_forgetting_spares_a_newer_record_of_the_same_name(home: Home) -> None:
    new = ServiceRecord.of("worker", os.getpid())
    write_records(home, [new])
    forget(home, new.model_copy(update={"pid": 1}))
    assert read_records(home) == {"worker": new}
