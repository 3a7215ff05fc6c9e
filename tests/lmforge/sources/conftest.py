"""A web server on loopback whose answers a test writes."""

import http.server
import threading
from collections.abc import Callable, Iterator

import pytest

from lmforge.sources.addresses import ALLOWED_HOSTS


class Site:
    """`pages`: path to a function that answers; `asked`: the paths and headers of the requests so far."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                site.pages[self.path.partition("?")[0]](self)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, content: bytes = b"", status: int = 200, **headers: str) -> str:
        """Serve `content` under `path`; keywords are headers. Returns the URL."""

        def send(handler: http.server.BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            for name, value in {"Content-Length": str(len(content)), **named}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(content)

        self.pages[path] = send
        return self.address + path

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server that tests may ask although it is on loopback."""
    monkeypatch.setenv(ALLOWED_HOSTS, "127.0.0.1")
    running = Site()
    yield running
    running.stop()
