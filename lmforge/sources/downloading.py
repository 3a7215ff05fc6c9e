"""Keeps a copy of what a URL holds; the copy is complete or absent, and not fetched again while it is unchanged.

Over HTTP "unchanged" is the server's word (ETag, Last-Modified), in object stores their checksum. A server that gives
neither is asked for everything each time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from lmforge.errors import InputError
from lmforge.hashing import hash_file
from lmforge.sources.addresses import check_url, is_web, safe_url
from lmforge.sources.web import Answer, UnreachableError, open_url
from lmforge.wording import shown

logger = logging.getLogger("lmforge.stage")

_CHUNK_BYTES = 1 << 20
_MAX_NAME_BYTES = 200


def place_of(url: str, directory: Path) -> Path:
    """Where the copy of a URL is kept; its name ends as the URL's path does, which tells the format."""
    name = PurePosixPath(unquote(check_url(url).path)).name
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in name)
    return directory / hashlib.sha256(url.encode()).hexdigest()[:16] / (safe.lstrip(".")[-_MAX_NAME_BYTES:] or "index")


def fetch(
    url: str,
    directory: Path,
    *,
    sha256: str | None = None,
    max_bytes: int,
    timeout_seconds: float,
    allowed_hosts: Collection[str] = (),
) -> Path:
    """The path of a copy of `url` below `directory`: fetched now, or before and unchanged since.

    sha256: what the content must hash to; with it a copy is never asked about again. allowed_hosts: where redirects
    may lead besides the URL's own host. Where the server cannot be reached an earlier copy is used, with a warning.
    Raises InputError for what is not allowed (see `check_url`, `open_url`), for another hash than `sha256`, and where
    there is no copy at all.
    """
    target = place_of(url, directory)
    stamps = _stamps(target)
    if sha256 and stamps.get("sha256") == sha256.lower():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    found = stamps.get("sha256", "")
    hosts = {check_url(url).hostname or "", *allowed_hosts}
    try:
        with _opened(url, stamps, hosts, max_bytes, timeout_seconds) as answer:
            if answer.chunks is not None:
                found = _write(partial, answer.chunks)
                _check_hash(url, found, sha256)
                # Without its sidecar a copy counts for nothing, so it may be replaced first.
                partial.replace(target)
                _sidecar(target).write_text(json.dumps({**answer.stamps, "sha256": found}), encoding="utf-8")
    except UnreachableError as error:
        if not stamps:
            raise InputError(f"{safe_url(url)}: cannot be fetched ({error}), and there is no earlier copy") from error
        logger.warning("%s cannot be fetched (%s); the earlier copy is used", safe_url(url), error)
    finally:
        partial.unlink(missing_ok=True)
    _check_hash(url, found, sha256)
    return target


def _opened(
    url: str, stamps: Mapping[str, str], hosts: Collection[str], max_bytes: int, timeout_seconds: float
) -> AbstractContextManager[Answer]:
    if is_web(check_url(url).scheme):
        return open_url(url, stamps, known_hosts=hosts, max_bytes=max_bytes, timeout_seconds=timeout_seconds)
    return _open_store(url, stamps, max_bytes, timeout_seconds)


@contextmanager
def _open_store(url: str, stamps: Mapping[str, str], max_bytes: int, timeout_seconds: float) -> Iterator[Answer]:
    """As `open_url`, for what fsspec reaches, with the credentials that its libraries find."""
    import fsspec  # type: ignore[import-untyped]

    with ExitStack() as stack:
        with _translated(url):
            store, path = fsspec.core.url_to_fs(url)
            info = store.info(path)
            # Made of what the store says of the object, its checksum among it; never of its content.
            kept = {"etag": str(store.ukey(path))}
        if kept["etag"] == stamps.get("etag"):
            yield Answer(None, dict(stamps))
            return
        if info.get("type") == "directory":
            raise InputError(f"{safe_url(url)}: is a directory; name a file in it")
        with _translated(url):
            file = stack.enter_context(store.open(path, "rb"))
        yield Answer(_bounded(file, url, max_bytes, timeout_seconds), kept)


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Errors of the store as ours; what goes wrong where the bytes are written passes by."""
    try:
        yield
    except (ImportError, ValueError) as error:
        raise InputError(f"{safe_url(url)}: fsspec cannot open it: {shown(str(error), 200)}") from error
    except (FileNotFoundError, PermissionError) as error:
        raise InputError(f"{safe_url(url)}: not there, or not for you ({type(error).__name__})") from error
    except OSError as error:
        raise UnreachableError(shown(str(error) or repr(error), 200)) from error


def _bounded(file: Any, url: str, max_bytes: int, timeout_seconds: float) -> Iterator[bytes]:
    started, num_bytes = time.monotonic(), 0
    while True:
        with _translated(url):
            chunk = file.read(_CHUNK_BYTES)
            if time.monotonic() - started > timeout_seconds:
                raise TimeoutError(f"took more than {timeout_seconds:g} s")
        if not chunk:
            return
        num_bytes += len(chunk)
        if num_bytes > max_bytes:
            raise InputError(f"{safe_url(url)}: larger than {max_bytes:,} bytes; raise `max_bytes`")
        yield chunk


def _write(path: Path, chunks: Iterator[bytes]) -> str:
    """Write durably and return the SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _sidecar(target: Path) -> Path:
    return target.with_name(f".{target.name}.json")


def _stamps(target: Path) -> dict[str, str]:
    """What is known of a copy; empty where there is none, or where it is not what was fetched."""
    try:
        stamps = json.loads(_sidecar(target).read_text(encoding="utf-8"))
        sound = target.is_file() and stamps["sha256"] == hash_file(target)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return stamps if sound else {}


def _check_hash(url: str, found: str, wanted: str | None) -> None:
    if wanted and found != wanted.lower():
        raise InputError(
            f"{safe_url(url)}: its SHA-256 is {found}, not the {wanted.lower()} of the recipe; "
            "the file was changed there: look at it, then correct `sha256`"
        )
