"""A background program is cut off from the terminal, and when it dies its own words are shown."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmforge.errors import LmforgeError
from lmforge.home import Home
from lmforge.services.launching import deferred_signals, environment, launch, log_end, log_of, wait_until
from lmforge.services.programs import Program
from lmforge.services.record import ServiceRecord, is_alive
from lmforge.services.stopping import stop_process


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before, mask = dict(os.environ), os.umask(0o022)
    yield
    os.umask(mask)
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(project=tmp_path, path=tmp_path / "home")


def program(code: str, **variables: str) -> Program:
    return Program("worker", [sys.executable, "-c", code], variables)


def ended(record: ServiceRecord) -> None:
    deadline = time.monotonic() + 20
    while is_alive(record):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_child_is_a_session_of_its_own_with_the_settings_of_the_home(home: Home) -> None:
    code = """
import os, sys
print(os.getsid(0) == os.getpid(), sys.stdin.read() == "", os.environ["X"], os.environ["PREFECT_HOME"])
"""
    ended(launch(home, program(code, X="extra")))
    assert log_of(home, "worker").read_text() == f"True True extra {home.path / 'prefect'}\n"


def test_child_runs_in_the_project_and_keeps_files_to_itself(home: Home) -> None:
    ended(launch(home, program("open('made', 'w').close()")))
    assert stat.S_IMODE((home.project / "made").stat().st_mode) == 0o600
    assert stat.S_IMODE(log_of(home, "worker").stat().st_mode) == 0o600


def test_child_can_be_interrupted_although_we_ignore_it(home: Home) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        ended(
            launch(home, program("import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"))
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert log_of(home, "worker").read_text() == "True\n"


def test_log_of_the_start_before_is_kept(home: Home) -> None:
    for word in ("first", "second"):
        ended(launch(home, program(f"print('{word}')")))
    assert log_of(home, "worker").read_text() == "second\n"
    assert (home.logs / "worker.previous.log").read_text() == "first\n"


def test_waiting_ends_when_it_works(home: Home) -> None:
    record = launch(home, program("import time; time.sleep(60)"))
    answers = iter([False, False, True])
    wait_until(lambda: next(answers), home, record, print)
    assert is_alive(record)
    assert next(answers, None) is None
    stop_process(record)


def test_an_early_death_shows_code_and_the_end_of_the_log(home: Home) -> None:
    record = launch(home, program("for n in range(40): print('line', n)\nraise SystemExit(7)"))
    with pytest.raises(LmforgeError) as failure:
        wait_until(lambda: False, home, record, print)
    message = str(failure.value)
    assert message.startswith("worker ended with exit code 7 while it started:\n  | line 25\n")
    assert message.endswith(f"  | line 39\nall of it: {log_of(home, 'worker')}")


def test_a_service_that_never_works_runs_into_the_limit(home: Home) -> None:
    record = launch(home, program("import time; time.sleep(60)"))
    with pytest.raises(LmforgeError, match="does not work after 0 s"):
        wait_until(lambda: False, home, record, print, timeout_seconds=0.1)
    stop_process(record)
    assert not is_alive(record)


def test_loopback_never_goes_through_a_proxy(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "internal.example")
    monkeypatch.delenv("no_proxy", raising=False)
    merged = environment(home, {"PREFECT_API_URL": "here"})
    assert merged["NO_PROXY"] == "internal.example,127.0.0.1,localhost,::1"
    assert merged["no_proxy"] == "127.0.0.1,localhost,::1"
    assert merged["PREFECT_API_URL"] == "here"


def test_end_of_a_log_is_safe_to_show(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_bytes(b"cannot reach postgresql://me:hunter2@db\n\x1b[2J\xff" + 400 * b"x" + b"\n")
    first, second, _ = log_end(log).splitlines()
    assert first == "  | cannot reach postgresql://me:***@db"
    assert second.startswith("  | \\x1b[2J")
    assert len(second) < 320


def test_end_of_a_log_that_is_not_there(tmp_path: Path) -> None:
    assert log_end(tmp_path / "none.log") == f"all of it: {tmp_path / 'none.log'}"


def test_signals_wait_until_a_start_is_written_down() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), deferred_signals():
        signal.raise_signal(signal.SIGINT)
        done.append("after the signal")
    assert done == ["after the signal"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
