"""Health is asked on this machine only, and quickly."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lmforge.errors import LmforgeError
from lmforge.home import Home
from lmforge.services.asking import PrefectApi, is_healthy, worker_polls
from lmforge.services.record import ServiceRecord, use_running_server, write_records

HEARTBEAT = "2026-01-01T00:01:00+00:00"
HEARTBEAT_SECONDS = 1767225660


class Answers(BaseHTTPRequestHandler):
    """The few answers of a Prefect server that are needed, with its demand for a token."""

    def do_GET(self) -> None:
        if self.path.startswith("/api/csrf-token?client="):
            self._answer(200, {"token": f"for-{self.path.partition('=')[2]}"})
        else:
            self._answer(200 if self.path == "/api/health" else 503, True)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Prefect-Csrf-Token"] != f"for-{self.headers['Prefect-Csrf-Client']}":
            self._answer(403, {"detail": "Missing CSRF token."})
        elif self.path == "/api/work_pools/lmforge/workers/filter":
            self._answer(200, [{"last_heartbeat_time": None}, {"last_heartbeat_time": HEARTBEAT}])
        else:
            self._answer(200, [{"name": self.path}])

    def log_message(self, *arguments: object) -> None:
        pass

    def _answer(self, code: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_healthy_is_200_only(url: str) -> None:
    assert is_healthy(f"{url}/api/health")
    assert not is_healthy(f"{url}/health")
    assert not is_healthy("http://127.0.0.1:9/health")


def test_no_proxy_is_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert is_healthy(f"{url}/api/health")
    with PrefectApi(f"{url}/api") as api:
        assert api.query("flows", {}) == [{"name": "/api/flows/filter"}]


def test_silent_server_is_told() -> None:
    with pytest.raises(LmforgeError, match="does not answer /csrf-token"), PrefectApi("http://127.0.0.1:9/api"):
        pass


def test_only_a_heartbeat_after_its_start_counts(url: str) -> None:
    assert worker_polls(f"{url}/api", HEARTBEAT_SECONDS - 1)
    assert not worker_polls(f"{url}/api", HEARTBEAT_SECONDS + 1)


def test_a_running_server_is_used_and_a_setting_wins(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    home = Home(project=tmp_path, path=tmp_path)
    write_records(home, [ServiceRecord.of("prefect", os.getpid(), 1, url)])
    assert use_running_server(home) == f"{url}/api" == os.environ["PREFECT_API_URL"]
    monkeypatch.setenv("PREFECT_API_URL", "http://team.example/api")
    assert use_running_server(home) == "http://team.example/api"
