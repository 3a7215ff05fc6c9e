"""`lmforge` as a person starts it: a process in a project, without settings of whoever runs the tests."""

import json
import os
import socket
import subprocess
import sys

_OURS = ("PREFECT_", "MLFLOW_", "LMFORGE_")


def clean_environment(**variables):
    """The environment without our settings, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return kept | variables


def started(project, *arguments, **variables):
    """The finished process."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=project, env=clean_environment(**variables), capture_output=True, text=True, check=False,
    )  # fmt: skip


def answered(project, *arguments, **variables):
    """The document of a command that ends well."""
    done = started(project, *arguments, "--json", **variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def free_port():
    """A port of this machine that nobody listens on, as an argument."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])
