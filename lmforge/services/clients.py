"""The programs that speak to our Prefect server: what each needs to reach it, and the worker."""

from __future__ import annotations

import os
import sys

from lmforge.home import Home
from lmforge.services.programs import Program

WORK_POOL = "lmforge"


def worker(home: Home, api: str) -> Program:
    """The process that starts the due runs; how many at a time is up to the work pool."""
    program = [sys.executable, "-m", "prefect", "worker", "start"]
    command = [*program, "--pool", WORK_POOL, "--name", "lmforge"]
    return Program("worker", command, client_environment(home, api))


def client_environment(home: Home, api: str) -> dict[str, str]:
    """What a program needs to reach our server, and its flows to find the project."""
    return {
        "PREFECT_API_URL": api,
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
        "LMFORGE_PROJECT": str(home.project),
        # Runs start in a temporary directory; `import flows` has to find this project's.
        "PYTHONPATH": os.pathsep.join(filter(None, (str(home.project), os.environ.get("PYTHONPATH")))),
    }
