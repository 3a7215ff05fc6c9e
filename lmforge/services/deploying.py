"""Make a running Prefect server know the deployments of prefect.yaml; done again, it brings them up to date."""

from __future__ import annotations

import subprocess
import sys

from lmforge.errors import InputError, LmforgeError
from lmforge.home import Home
from lmforge.services.clients import client_environment
from lmforge.services.launching import environment, log_end, log_of

DEPLOY_TIMEOUT_SECONDS = 300


def check_project(home: Home) -> None:
    """Raise InputError when the project has no prefect.yaml, before any server starts."""
    if not (home.project / "prefect.yaml").is_file():
        raise InputError(f"{home.project}: no prefect.yaml here or above; change to a project, then try again")


def deploy(home: Home, api: str) -> None:
    """Create the work pool, the automation and all deployments. Raises LmforgeError with the end of the log."""
    # `deploy --all` stops at a missing work pool.
    _run(home, api, "-m", "tasks.deploying")
    _run(home, api, "-m", "prefect", "--no-prompt", "deploy", "--all")


def _run(home: Home, api: str, *arguments: str) -> None:
    variables, log = environment(home, client_environment(home, api)), log_of(home, "deploy")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab" if "tasks.deploying" not in arguments else "wb") as output:
        try:
            done = subprocess.run(
                [sys.executable, *arguments], cwd=home.project, env=variables, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, timeout=DEPLOY_TIMEOUT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise LmforgeError(f"deploying takes more than {error.timeout:.0f} s:\n{log_end(log)}") from error
    if done.returncode:
        raise LmforgeError(f"deploying failed with exit code {done.returncode}:\n{log_end(log)}")
