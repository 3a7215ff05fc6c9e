"""One file over HTTP, as a stream with a limit of time; redirects stay on known hosts.

The address is looked up once, judged and connected to, so that a name cannot lead elsewhere between the two. Proxies
are not used, as they would look names up on their own.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urljoin

from lmforge.errors import InputError
from lmforge.sources.addresses import check_url, connect, is_web, safe_url
from lmforge.wording import shown

_MAX_REDIRECTS = 5
_CONNECT_SECONDS = 30.0
_CHUNK_BYTES = 1 << 16
_PAGES = ("text/html", "application/xhtml+xml")
_PAGE_ENDINGS = (".html", ".htm", ".xhtml")


class UnreachableError(Exception):
    """Nobody answered well, this time; an earlier copy may still do."""


class Answer(NamedTuple):
    """What came back: `chunks` is None where nothing changed; `stamps` are sent with the next request."""

    chunks: Iterator[bytes] | None
    stamps: dict[str, str]


@contextmanager
def open_url(
    url: str, stamps: Mapping[str, str], *, known_hosts: Collection[str], max_bytes: int, timeout_seconds: float
) -> Iterator[Answer]:
    """The answer to a GET of an HTTP URL, at most `max_bytes` within `timeout_seconds` in all.

    stamps: `etag` and `last-modified` of the copy that is there. Raises UnreachableError for what may pass (no
    connection, too slow, a busy or broken server), InputError for what will not (refused, not found, too large, a web
    page instead).
    """
    with ExitStack() as stack:
        watch = stack.enter_context(_Watch(timeout_seconds))
        with _translated(url, watch):
            response, last_url = _follow(url, stamps, known_hosts, stack, watch)
        if response.status == http.client.NOT_MODIFIED:
            yield Answer(None, dict(stamps))
            return
        _check(response, url, last_url, max_bytes)
        kept = {name: value for name in ("etag", "last-modified") if (value := response.headers.get(name))}
        yield Answer(_chunks(response, url, max_bytes, watch), kept)


@contextmanager
def _translated(url: str, watch: _Watch) -> Iterator[None]:
    """Errors of the network only: what goes wrong where the bytes are written must not look like one."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise InputError(f"{safe_url(url)}: its certificate is refused: {shown(error.verify_message)}") from error
    except (OSError, http.client.HTTPException) as error:
        why = f"took more than {watch.seconds:g} s" if watch.is_over else shown(str(error) or repr(error), 200)
        raise UnreachableError(why) from error


class _Watch:
    """Closes the connection when time is over, however slowly bytes still trickle in."""

    def __init__(self, timeout_seconds: float) -> None:
        self.is_over = False
        self.seconds = timeout_seconds
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(timeout_seconds, self._stop)
        self._timer.daemon = True

    def watch(self, connected: socket.socket) -> None:
        self._socket = connected
        if self.is_over:
            raise TimeoutError

    def _stop(self) -> None:
        self.is_over = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _follow(
    url: str, stamps: Mapping[str, str], known_hosts: Collection[str], stack: ExitStack, watch: _Watch
) -> tuple[http.client.HTTPResponse, str]:
    """The first answer that is no redirect, and its URL."""
    here = url
    for _ in range(_MAX_REDIRECTS + 1):
        connection = stack.enter_context(_connection(here, known_hosts, watch))
        headers = {"Accept-Encoding": "identity", "User-Agent": "lmforge"}
        wanted = {"If-None-Match": stamps.get("etag"), "If-Modified-Since": stamps.get("last-modified")}
        headers.update({name: value for name, value in wanted.items() if value})
        parts = check_url(here)
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
        response = connection.getresponse()
        target = response.headers.get("location")
        if response.status not in (301, 302, 303, 307, 308) or not target:
            return response, here
        there = urljoin(here, target)
        if not is_web(check_url(there).scheme) or (here.startswith("https:") and not there.startswith("https:")):
            raise InputError(f"{safe_url(url)}: redirects to {safe_url(there)}, which is refused; write the URL itself")
        here = there
    raise InputError(f"{safe_url(url)}: redirects more than {_MAX_REDIRECTS} times; write the last URL itself")


@contextmanager
def _connection(url: str, known_hosts: Collection[str], watch: _Watch) -> Iterator[http.client.HTTPConnection]:
    parts = check_url(url)
    host = parts.hostname or ""
    sock = connect(url, known_hosts, min(_CONNECT_SECONDS, watch.seconds))
    try:
        if parts.scheme == "https":
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        connection = http.client.HTTPConnection(host, parts.port or (443 if parts.scheme == "https" else 80))
        # A connection that has its socket looks nothing up.
        connection.sock = sock
        watch.watch(sock)
        yield connection
    finally:
        sock.close()


def _check(response: http.client.HTTPResponse, url: str, last_url: str, max_bytes: int) -> None:
    if response.status == http.client.TOO_MANY_REQUESTS or response.status >= 500:
        raise UnreachableError(f"the server answers {response.status} {shown(response.reason)}")
    if response.status != http.client.OK:
        raise InputError(
            f"{safe_url(last_url)}: the server answers {response.status} {shown(response.reason)}; correct the URL"
        )
    media_type = response.headers.get_content_type() if "content-type" in response.headers else ""
    if media_type in _PAGES and PurePosixPath(check_url(url).path).suffix.lower() not in _PAGE_ENDINGS:
        raise InputError(
            f"{safe_url(url)}: the server sends a web page instead of data, perhaps to sign in; correct the URL"
        )
    if response.length is not None and response.length > max_bytes:
        raise _too_large(url, max_bytes)


def _chunks(response: http.client.HTTPResponse, url: str, max_bytes: int, watch: _Watch) -> Iterator[bytes]:
    wanted, num_bytes = response.length, 0
    while True:
        with _translated(url, watch):
            # One read of the socket at a time, or a slow server would hold a whole chunk back.
            chunk = response.read1(_CHUNK_BYTES)
            # A connection that is shut down looks like one that ended.
            if not chunk and (watch.is_over or (wanted is not None and num_bytes < wanted)):
                raise ConnectionError(f"the connection broke off after {num_bytes:,} bytes")
        if not chunk:
            return
        num_bytes += len(chunk)
        if num_bytes > max_bytes:
            raise _too_large(url, max_bytes)
        yield chunk


def _too_large(url: str, max_bytes: int) -> InputError:
    return InputError(f"{safe_url(url)}: larger than {max_bytes:,} bytes; raise `max_bytes` if it is to be so large")
