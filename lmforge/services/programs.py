"""The command line, environment and address of each server; how to run them is launching.py's business."""

from __future__ import annotations

import sys
from typing import NamedTuple
from urllib.parse import urlsplit

from lmforge.home import Home
from lmforge.services.addresses import LOOPBACK_HOSTS, url_of


class Program(NamedTuple):
    """One service as a program; a worker has no port and no url."""

    name: str
    command: list[str]
    environment: dict[str, str]
    port: int | None = None
    url: str | None = None


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
    return Program("prefect", command, environment, port, url)


def mlflow_server(home: Home, host: str, port: int) -> Program:
    """The MLflow user interface and API over the tracking store of the home."""
    url = url_of(host, port)
    command = [
        *_python("mlflow"), "server", "--host", host, "--port", str(port), "--workers", "1",
        "--artifacts-destination", str(home.mlflow_artifacts),
        "--allowed-hosts", _own_origins(port).replace("http://", ""), "--cors-allowed-origins", _own_origins(port),
        "--x-frame-options", "DENY",
    ]  # fmt: skip
    # Not as an option: the address of a database may hold a password, and everyone here sees command lines.
    environment = {"MLFLOW_BACKEND_STORE_URI": home.tracking_uri}
    return Program("mlflow", command, environment, port, url)


def is_remote(tracking_uri: str) -> bool:
    """Whether an MLflow server elsewhere keeps the runs; then there is none to start here."""
    return urlsplit(tracking_uri).scheme in ("http", "https")


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _own_origins(port: int) -> str:
    return ",".join(url_of(host, port) for host in LOOPBACK_HOSTS)
