"""Fingerprints: of values, of files and of the code that makes an artifact.

All are SHA-256 in hex. A short form is used in paths and on screen only, never for a comparison.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import time
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lmforge.errors import InputError
from lmforge.wording import shown

SHORT = 16
CHUNK_BYTES = 1 << 20
_SETTLED_NANOSECONDS = 1_000_000_000


def hash_value(value: Any) -> str:
    """Hash a JSON-like value; the order of mapping keys does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """Hash a file's bytes in constant memory.

    A file that this process has hashed is not read again while its inode, size and times stay as they were.
    Raises InputError where it cannot be read.
    """
    try:
        status = path.stat()
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        # A file system's clock ticks in milliseconds: a second write within a tick would leave the same times.
        settled = time.time_ns() - status.st_ctime_ns > _SETTLED_NANOSECONDS
        return (_hash_content if settled else _hash_content.__wrapped__)(path, identity)
    except OSError as error:
        fix = "check that the file is there, that you may read it, and that its disk is sound"
        raise InputError(f"{shown(str(path), 200)}: cannot be read: {error.strerror}; {fix}") from error


@lru_cache(maxsize=100_000)
def _hash_content(path: Path, identity: tuple[int, ...]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def hash_path(path: Path) -> str:
    """Hash a file, or all files below a directory with their names."""
    if not path.is_dir():
        return hash_file(path)
    below = sorted(one for one in path.rglob("*") if one.is_file())
    return hash_files({one.relative_to(path).as_posix(): hash_file(one) for one in below})


def hash_files(files: Mapping[str, str]) -> str:
    """Fingerprint of a directory: its relative paths and their hashes."""
    return hash_value(dict(files))


def hash_code(modules: Iterable[str]) -> str:
    """Hash the source files of the named modules; for a package, of every module below it.

    Comments count too: a false miss costs time, a false hit costs trust.
    """
    sources: dict[str, str] = {}
    for module in modules:
        found = importlib.util.find_spec(module)
        assert found is not None and found.origin is not None, f"stage names an unknown module {module}"
        origin = Path(found.origin)
        paths = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
        sources.update({f"{module}:{path.relative_to(origin.parent).as_posix()}": hash_file(path) for path in paths})
    return hash_value(sources)


@cache
def code_fingerprint(modules: tuple[str, ...], libraries: tuple[str, ...]) -> str:
    """Hash of the modules' sources and the versions of the libraries."""
    return hash_value([hash_code(modules), {name: version(name) for name in libraries}])


def short(fingerprint: str) -> str:
    """First characters of a fingerprint, for people and paths."""
    return fingerprint[:SHORT]
