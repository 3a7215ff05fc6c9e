"""Records survive a restart of ours, not one of the machine, and never take a stranger for a service."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lmforge.errors import IntegrityError
from lmforge.home import Home
from lmforge.services.record import ServiceRecord, is_alive, read_records, use_running_server, write_records


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(project=tmp_path, path=tmp_path / "home")


@pytest.fixture
def myself() -> ServiceRecord:
    return ServiceRecord.of("prefect", os.getpid(), 4200, "http://127.0.0.1:4200")


def test_no_file_is_no_service(home: Home) -> None:
    assert read_records(home) == {}


def test_what_was_written_is_read(home: Home, myself: ServiceRecord) -> None:
    worker = ServiceRecord.of("worker", os.getpid())
    write_records(home, [myself, worker])
    assert read_records(home) == {"prefect": myself, "worker": worker}
    assert stat.S_IMODE(home.services.stat().st_mode) == 0o600


def test_writing_leaves_no_other_file(home: Home, myself: ServiceRecord) -> None:
    write_records(home, [myself])
    write_records(home, [])
    assert [path.name for path in home.path.iterdir()] == ["services.json"]
    assert read_records(home) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"prefect": {"pid": 1}}', '{"prefect": '])
def test_damaged_file_is_told(home: Home, text: str) -> None:
    home.path.mkdir()
    home.services.write_text(text)
    with pytest.raises(IntegrityError, match=r"services\.json: not a list of services"):
        read_records(home)


def test_this_process_is_alive(myself: ServiceRecord) -> None:
    assert is_alive(myself)
    assert myself.started == pytest.approx(psutil.Process().create_time(), abs=2)


def test_a_process_of_another_boot_is_dead(myself: ServiceRecord) -> None:
    assert not is_alive(myself.model_copy(update={"boot_id": "another"}))


def test_a_stranger_with_the_same_id_is_not_the_service(myself: ServiceRecord) -> None:
    assert not is_alive(myself.model_copy(update={"uptime_at_start": myself.uptime_at_start - 60}))


def test_ended_and_zombie_processes_are_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    record = ServiceRecord.of("worker", child.pid)
    assert is_alive(record)
    child.kill()
    deadline = time.monotonic() + 10
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(record)
    child.wait()
    assert not is_alive(record)


def test_health_addresses(myself: ServiceRecord) -> None:
    assert myself.health == "http://127.0.0.1:4200/api/health"
    assert myself.model_copy(update={"name": "mlflow"}).health == "http://127.0.0.1:4200/health"
    assert ServiceRecord.of("worker", os.getpid()).health is None


def test_no_server_of_ours_changes_nothing(home: Home, myself: ServiceRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert use_running_server(home) is None
    write_records(home, [myself.model_copy(update={"boot_id": "another"})])
    assert use_running_server(home) is None
    # Alive, but nothing answers at its port.
    write_records(home, [myself.model_copy(update={"url": "http://127.0.0.1:9"})])
    assert use_running_server(home) is None
    assert "PREFECT_API_URL" not in os.environ
