"""The content-verified store that alone decides what is reused.

One directory a key: `<root>/<stage>/<key>/`. It is built beside its place, fsynced, described by a manifest written
last, and renamed; so it is complete or absent, whatever kills the process. The lock of a key belongs to the kernel:
it is free as soon as its owner is dead.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from lmforge import __version__
from lmforge.artifacts.artifact import MANIFEST, Artifact, Counts, Manifest
from lmforge.errors import InputError, IntegrityError
from lmforge.faults import point
from lmforge.hashing import hash_file, hash_value, short
from lmforge.wording import listed

logger = logging.getLogger(__name__)


class Request(NamedTuple):
    """What an artifact would be made of; the same request always has the same key."""

    stage: str
    kind: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]
    code: str

    @property
    def key(self) -> str:
        return short(hash_value([self.stage, self.kind, dict(self.config), dict(self.inputs), self.code]))


class Outcome(NamedTuple):
    """What a build reports: how records balance, and facts for people and later stages."""

    counts: Counts = Counts()
    facts: Mapping[str, Any] = {}


class Store:
    """Artifacts below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, request: Request) -> Path:
        """Where the artifact of a request is, or would be."""
        return self.root / request.stage / request.key

    def find(self, request: Request) -> Artifact | None:
        """The verified artifact of a request, or None. Raises IntegrityError when it is damaged."""
        place = self.place(request)
        if not (place / MANIFEST).is_file():
            return None
        artifact = Artifact(kind=request.kind, path=place, fingerprint=_read_manifest(place).fingerprint)
        verify(artifact)
        return artifact

    def get_or_build(self, request: Request, build: Callable[[Path], Outcome]) -> tuple[Artifact, bool]:
        """The artifact of a request and whether it was already there.

        `build` fills the empty directory that it is given. Two processes with one request make one artifact: the
        second waits, then reuses. A damaged artifact is set aside and made again.
        """
        place = self.place(request)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write to the store: {place.parent}: {error.strerror}") from error
        with FileLock(place.parent / f".{request.key}.lock"):
            try:
                if found := self.find(request):
                    return found, True
            except IntegrityError as error:
                damaged = place.with_name(f".damaged-{place.name}-{time.time_ns()}")
                logger.warning("%s; set aside as %s and made again", error, damaged)
                place.rename(damaged)
            staging = place.parent / ".staging" / request.key
            shutil.rmtree(staging, ignore_errors=True)  # left by a process that was killed; we hold its lock
            staging.mkdir(parents=True)
            try:
                return self._publish(request, staging, build), False
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise

    def history(self, stage: str) -> Iterator[Manifest]:
        """Manifests of a stage, newest first; damaged ones are passed over."""
        places = [
            path.parent for path in self.root.glob(f"{stage}/*/{MANIFEST}") if not path.parent.name.startswith(".")
        ]
        for place in sorted(places, key=lambda path: path.stat().st_mtime_ns, reverse=True):
            try:
                yield _read_manifest(place)
            except IntegrityError:
                continue

    def _publish(self, request: Request, staging: Path, build: Callable[[Path], Outcome]) -> Artifact:
        started = time.monotonic()
        outcome = build(staging)
        point("store.built")
        outcome.counts.check()
        files = {path.relative_to(staging).as_posix(): path for path in sorted(staging.rglob("*")) if path.is_file()}
        manifest = Manifest(
            stage=request.stage,
            kind=request.kind,
            key=request.key,
            config=dict(request.config),
            inputs=dict(request.inputs),
            code=request.code,
            version=__version__,
            counts=outcome.counts,
            facts=dict(outcome.facts),
            files={name: hash_file(path) for name, path in files.items()},
            sizes_bytes={name: path.stat().st_size for name, path in files.items()},
            seconds=round(time.monotonic() - started, 3),
        )
        for path in files.values():
            _fsync(path)
        point("store.fsynced")
        (staging / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _fsync(staging / MANIFEST)
        point("store.described", staging / MANIFEST)
        place = self.place(request)
        staging.replace(place)
        point("store.renamed", place / MANIFEST)
        _fsync(place.parent)
        return Artifact(kind=request.kind, path=place, fingerprint=manifest.fingerprint)


def watched(ask: Callable[[], Request], build: Callable[[Path], Outcome]) -> tuple[Request, Callable[[Path], Outcome]]:
    """The request that `ask` gives now, and `build` with a check that its inputs have the same content at the end.

    Otherwise an input that is written to meanwhile would be kept under the hash of what it held before; the build
    raises InputError then. Files that arrive or vanish meanwhile are left to the next run.
    """
    request = ask()

    def checked(out: Path) -> Outcome:
        outcome = build(out)
        now = ask().inputs
        changed = sorted(name for name, digest in request.inputs.items() if now.get(name, digest) != digest)
        if changed:
            raise InputError(f"{listed(changed)}: changed while it was read; run again when nothing writes to it")
        return outcome

    return request, checked


def verify(artifact: Artifact) -> None:
    """Raise IntegrityError unless every file is there with the size and hash that the manifest names."""
    manifest = _read_manifest(artifact.path)
    if manifest.fingerprint != artifact.fingerprint:
        raise IntegrityError(f"{artifact.path}: fingerprint is not the expected {artifact.fingerprint}")
    for name, digest in manifest.files.items():
        path = artifact.path / name
        if not path.is_file():
            raise IntegrityError(f"{path}: missing, though its manifest lists it")
        if (size := path.stat().st_size) != (expected := manifest.sizes_bytes[name]):
            raise IntegrityError(f"{path}: {size} bytes found, {expected} expected")
        if hash_file(path) != digest:
            raise IntegrityError(f"{path}: its SHA-256 is not the one in the manifest")


def _read_manifest(place: Path) -> Manifest:
    try:
        return Manifest.model_validate_json((place / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{place / MANIFEST}: not a readable manifest") from error


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
