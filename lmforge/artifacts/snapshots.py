"""What the gates last accepted: for each recipe and stage a small JSON file, replaced in one step.

A snapshot stays when the store is emptied: it is what a scheduled run is compared with. An artifact that is made again
must not be compared with itself, so the one before it is kept too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from lmforge.errors import InputError, IntegrityError
from lmforge.wording import shown

_NUM_KEPT = 2


class Snapshots:
    """The accepted snapshots below one directory: `<directory>/<recipe name>/<stage>.json`, oldest first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def last(self, recipe: str, stage: str, *, other_than: str | None = None) -> dict[str, Any] | None:
        """Return the snapshot that was accepted last, None on a first run.

        other_than: the key of an artifact whose own snapshot does not count.
        Raises IntegrityError for a file that is no list of snapshots.
        """
        found = [one for one in self._read(recipe, stage) if one["key"] != other_than]
        return found[-1] if found else None

    def accept(self, recipe: str, stage: str, snapshot: Mapping[str, Any]) -> None:
        """Keep the snapshot as the last accepted one; it replaces an earlier one of the same `key`.

        Raises InputError where the directory cannot be written to.
        """
        path = self._path(recipe, stage)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_name(f".{path.name}.lock")):
                others = [one for one in self._read(recipe, stage) if one["key"] != snapshot["key"]]
                _replace(path, [*others, dict(snapshot)][-_NUM_KEPT:])
        except OSError as error:
            raise InputError(f"cannot write to {shown(str(path), 200)}: {error.strerror}") from error

    def _path(self, recipe: str, stage: str) -> Path:
        return self.directory / recipe / f"{stage}.json"

    def _read(self, recipe: str, stage: str) -> list[dict[str, Any]]:
        path = self._path(recipe, stage)
        if not path.is_file():
            return []
        try:
            snapshots = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            snapshots = None
        if not (isinstance(snapshots, list) and all(isinstance(one, dict) and "key" in one for one in snapshots)):
            raise IntegrityError(
                f"{shown(str(path), 200)} is no list of snapshots; remove the file to go on without a comparison"
            )
        return snapshots


def _replace(path: Path, snapshots: list[dict[str, Any]]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(snapshots, file, indent=1, sort_keys=True, allow_nan=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
