"""What a temporary server says goes to nobody, what the run says to the person."""

import subprocess
import sys

import pytest

SERVER = """
import logging
from prefect.server.api.server import create_app
create_app()
logging.getLogger("sqlalchemy.pool").error("of the server")
"""
PROGRAM = """
import logging, subprocess, sys
from flows.logs import quiet_server, show_progress
server, verbose = sys.argv[1], sys.argv[2] == "True"
show_progress(verbose)
with quiet_server(verbose):
    subprocess.run([sys.executable, "-c", server], check=True)
logging.getLogger("lmforge").info("of the run")
logging.getLogger("other").error("of a library")
subprocess.run([sys.executable, "-c", server.replace("of the server", "of the worker")], check=True)
"""


@pytest.mark.parametrize("verbose", [False, True])
def test_the_errors_of_a_temporary_server_are_shown_to_who_asks_for_all(verbose):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, SERVER, str(verbose)], capture_output=True, text=True, timeout=200, check=True
    )
    assert ("of the server" in done.stderr) == verbose
    assert "of the run\n" in done.stderr
    assert "of a library" in done.stderr
    assert "of the worker" in done.stderr
