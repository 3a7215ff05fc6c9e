"""What the launcher makes of the ends of its processes; starting real ones is in test_processes.py."""

from __future__ import annotations

import json
import signal

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from lmforge.errors import InputError
from lmforge.training.launching import outcome, report, started_as_worker
from lmforge.training.processes import LostProcessError


@pytest.fixture
def failure(tmp_path, monkeypatch):
    """How a process ended, with the error that it reported."""

    def make(rank: int, exitcode: int, message: str = "", reason: type[Exception] = InputError) -> ProcessFailure:
        path = tmp_path / f"{rank}.json"
        if message:
            monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(path))
            report(message, reason)
        return ProcessFailure(local_rank=rank, pid=100 + rank, exitcode=exitcode, error_file=str(path))

    return make


def test_what_all_say_is_said_once(failure):
    same = [failure(rank, 2, "a.npy: no such file") for rank in range(3)]
    assert outcome(same, 3) == (2, "a.npy: no such file")


def test_who_lost_another_does_not_give_the_reason(failure):
    failed = [failure(0, 1, "another one ended", LostProcessError), failure(1, 1, "disk full", OSError)]
    assert outcome(failed, 2) == (1, "disk full")
    assert outcome(failed[:1], 2) == (1, "another one ended")


def test_who_was_ended_by_the_launcher_does_not_give_the_code(failure):
    assert outcome([failure(0, -signal.SIGTERM), failure(1, 2, "bad")], 2) == (2, "bad")
    assert outcome([failure(0, -signal.SIGTERM)], 2) == (143, "")


@pytest.mark.parametrize("code", [130, 143])
def test_processes_that_agreed_to_stop(failure, code):
    assert outcome([failure(0, code), failure(1, code)], 2) == (code, "")


def test_killed_process_is_the_reason(failure):
    failed = [failure(0, 1, "another one ended", LostProcessError), failure(1, -signal.SIGKILL)]
    code, message = outcome(failed, 2)
    assert code == 1
    assert message.startswith("process 1 of 2 was ended by SIGKILL")
    assert "lack of memory" in message
    assert "another one ended" not in message


def test_error_without_a_launcher_is_printed(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("TORCHELASTIC_ERROR_FILE", raising=False)
    report("wrong", InputError)
    assert capsys.readouterr().err == "wrong\n"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    report("wrong", InputError)
    assert capsys.readouterr().err == ""
    assert json.loads((tmp_path / "error.json").read_bytes())["message"]["message"] == "wrong"


def test_worker_is_known_by_its_environment(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    assert not started_as_worker()
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert started_as_worker()
