"""The command line, environment and health address of each service; how to run them is launching.py's business."""

from __future__ import annotations

import sys
from typing import NamedTuple

from lmforge.home import Home
from lmforge.services.addresses import LOOPBACK_HOSTS, url_of

WORK_POOL = "lmforge"


class Program(NamedTuple):
    """One service as a program. health: the address that answers 200 once it works; a worker has none."""

    name: str
    title: str
    command: list[str]
    environment: dict[str, str]
    port: int | None = None
    url: str | None = None
    health: str | None = None


def prefect_server(home: Home, host: str, port: int) -> Program:
    """The Prefect server with its user interface; it runs nothing itself."""
    url = url_of(host, port)
    environment = {
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_API_URL": f"{url}/api",
        # Off and `*` by default: any web page that is open in a browser here could start flows.
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": _own_origins(port),
    }
    command = [*_python("prefect"), "server", "start", "--host", host, "--port", str(port)]
    return Program("prefect", "Prefect", command, environment, port, url, f"{url}/api/health")


def mlflow_server(home: Home, host: str, port: int) -> Program:
    """The MLflow user interface and API over the tracking store of the home."""
    url = url_of(host, port)
    command = [
        *_python("mlflow"), "server", "--host", host, "--port", str(port), "--workers", "1",
        "--backend-store-uri", home.tracking_uri, "--artifacts-destination", str(home.mlflow_artifacts),
        "--allowed-hosts", _own_origins(port).replace("http://", ""), "--cors-allowed-origins", _own_origins(port),
        "--x-frame-options", "DENY",
    ]  # fmt: skip
    return Program("mlflow", "MLflow", command, {}, port, url, f"{url}/health")


def worker(home: Home, api: str) -> Program:
    """The process that starts the due runs, one at a time: two trainings would share the cores of one machine."""
    command = [*_python("prefect"), "worker", "start", "--pool", WORK_POOL, "--limit", "1", "--name", "lmforge"]
    return Program("worker", "Worker", command, client_environment(home, api))


def client_environment(home: Home, api: str) -> dict[str, str]:
    """What a program needs to reach our server, and its flows to find the project."""
    return {
        "PREFECT_API_URL": api,
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true",
        "LMFORGE_PROJECT": str(home.project),
        # Runs start in a temporary directory; `import flows` has to find this project's.
        "PYTHONPATH": str(home.project),
    }


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _own_origins(port: int) -> str:
    return ",".join(url_of(host, port) for host in LOOPBACK_HOSTS)
