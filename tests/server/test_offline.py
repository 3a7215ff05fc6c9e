"""Nothing leaves the machine: every process of a whole run is watched for connections and look-ups beyond loopback."""

import json
import os
import subprocess
import sys

import pytest

from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

# Every Python process imports this at its start; an audit hook sees calls of all libraries and cannot be taken out.
WATCH = """
import os, sys

LOCAL = ("127.", "localhost", "::1", "0.0.0.0")

def watch(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    local = host is None or host.startswith(LOCAL)
    with open(os.environ["WATCH_FILE"], "a") as file:
        file.write(f"{'local' if local else 'outside'} {event} {host} {sys.argv[:3]}\\n")

sys.addaudithook(watch)
"""


def test_a_whole_run_stays_on_this_machine(tmp_path):
    make_project(tmp_path / "project")
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    seen = tmp_path / "seen.txt"
    ours = ("PREFECT_", "MLFLOW_", "LMFORGE_", "HF_", "DO_NOT_TRACK", "CI")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment |= {"PYTHONPATH": str(tmp_path / "watch"), "WATCH_FILE": str(seen)}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "run", "recipes/tiny.yaml", "--json"],
        cwd=tmp_path / "project", env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    lines = seen.read_text().splitlines()
    assert any(line.startswith("local ") for line in lines), "the watch saw nothing, not even the embedded server"
    assert [line for line in lines if line.startswith("outside ")] == []
