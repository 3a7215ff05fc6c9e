"""A real MLflow server that can be killed and started again, and a proxy before it that loses answers or kills it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lmforge.home import Home
from lmforge.services.asking import is_healthy
from lmforge.services.programs import mlflow_server

# What belongs to one connection and not to the request (RFC 9110, section 7.6.1), and what has another value behind it.
_OWN_HEADERS = ("connection", "host", "transfer-encoding", "content-length")


class Server:
    """An MLflow server of a home that can be killed and started again at its address.

    store: the tracking store behind it; by default the home's.
    """

    def __init__(self, home: Home, store: str | None = None) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.program, self.log = mlflow_server(home, "127.0.0.1", self.port), home.path / f"mlflow-{self.port}.log"
        self.environment = self.program.environment | ({"MLFLOW_BACKEND_STORE_URI": store} if store else {})
        self.process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.program.command, env=os.environ | self.environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        end = time.monotonic() + 120
        while not is_healthy(f"{self.program.url}/health"):
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def start(self) -> None:
        self.launch()
        self.wait()

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class Proxy:
    """Forwards requests, one after another, to `port`, and counts them and those that write, from 1.

    lost: the request whose answer is read and then not handed on. killed: the writing request with which the server is
    killed, before it has answered. after: called when a request has been dealt with.
    """

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.port, self.lost, self.killed = 0, 0, 0
        self.num_requests, self.num_writes = 0, 0
        self.kill: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def __enter__(self) -> Proxy:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def reset(self, *, lost: int = 0, killed: int = 0) -> None:
        self.num_requests, self.num_writes, self.lost, self.killed = 0, 0, lost, killed


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: the second would wait 40 ms for the confirmation of the first.
    wbufsize = -1

    def do_GET(self) -> None:
        proxy, body = self.proxy, self.rfile.read(int(self.headers.get("Content-Length", 0)))
        proxy.num_requests += 1
        proxy.num_writes += self.command != "GET" and not self.path.endswith("/search")
        try:
            answer = self.forwarded(body)
        except OSError:  # the server is not there
            answer = None
        proxy.after()
        if answer is None or proxy.num_requests == proxy.lost:
            self.close_connection = True
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815

    def forwarded(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes] | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_HEADERS}
        connection.request(self.command, self.path, body, headers)
        if self.proxy.killed and self.proxy.num_writes == self.proxy.killed:
            self.proxy.killed = 0
            self.proxy.kill()
            return None
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), content

    def log_message(self, *_: object) -> None:
        """Standard error belongs to the tests."""
