"""One process at a time, the second told by whom, and none that was replaced writes on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lmforge.errors import TrainingError
from lmforge.training.claiming import claimed
from lmforge.training.stopping import PARENT

HOLDER = """
import sys, time
from pathlib import Path
from lmforge.training.claiming import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def hold(tmp_path):
    """Starts a process that holds the directory for some seconds."""
    started = []

    def start(seconds: float = 60, parent: int | None = None) -> subprocess.Popen[str]:
        environment = os.environ | ({PARENT: str(parent)} if parent else {})
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path), str(seconds)],
            env=environment, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout.readline() == "held\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_second_is_refused_at_once_and_told_by_whom(tmp_path, hold):
    first = hold()
    began = time.monotonic()
    with pytest.raises(TrainingError) as caught, claimed(tmp_path):
        pass
    assert time.monotonic() - began < 2
    assert f"process {first.pid} on {socket.gethostname()} since 20" in str(caught.value)


def test_lock_of_a_killed_process_is_free_at_once(tmp_path, hold):
    first = hold()
    first.send_signal(signal.SIGKILL)
    first.wait()
    began = time.monotonic()
    with claimed(tmp_path) as claim:
        claim.check()
    assert time.monotonic() - began < 2


def test_holder_whose_pipeline_is_gone_is_waited_for(tmp_path, hold):
    hold(1.0, parent=999_999_999)
    with claimed(tmp_path) as claim:
        claim.check()


def test_tokens_grow_and_the_one_before_is_worthless(tmp_path):
    with claimed(tmp_path) as first:
        first.check()
    (tmp_path / ".lock").unlink(missing_ok=True)
    with claimed(tmp_path) as second:
        second.check()
        assert second.token == first.token + 1
        with pytest.raises(TrainingError, match=f"no longer held by this process but by process {os.getpid()} on"):
            first.check()


def test_directory_that_was_removed_is_not_written_to(tmp_path):
    with claimed(tmp_path / "run") as claim:
        (tmp_path / "run" / "owner.json").unlink()
        with pytest.raises(TrainingError, match="no longer held by this process; it stops"):
            claim.check()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"token": "x"}', b"\xff"])
def test_unreadable_owner_does_not_keep_anybody_out(tmp_path, content):
    (tmp_path / "owner.json").write_bytes(content)
    with claimed(tmp_path) as claim:
        claim.check()
    assert json.loads((tmp_path / "owner.json").read_bytes())["pid"] == os.getpid()
