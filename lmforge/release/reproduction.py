"""Whether a second run of a recipe made what the first one made, file by file.

Files below `logs/` do not count: they hold wall times. A stage whose first artifact is gone is judged by its
fingerprint alone, which says whether anything differs but not what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from lmforge.artifacts.artifact import LOGS, Frozen, Manifest
from lmforge.hashing import hash_path
from lmforge.release.lineage import TracedStage

State = Literal["equal", "different", "missing", "new"]


class ComparedFile(Frozen):
    """A file of both runs: SHA-256 then and now, None where a run has no such file or the hash is not known."""

    name: str
    state: State
    then: str | None
    now: str | None


class ComparedStage(Frozen):
    """A stage of both runs. same_code: None where the first run's manifest is gone; files: empty then, too."""

    name: str
    state: State
    then: str | None
    now: str | None
    same_code: bool | None = None
    files: tuple[ComparedFile, ...] = ()

    def differing(self) -> tuple[ComparedFile, ...]:
        """The files that are not equal."""
        return tuple(one for one in self.files if one.state != "equal")


def compare_sources(recorded: Mapping[str, str], places: Mapping[str, Path]) -> list[ComparedFile]:
    """The files that a run read, SHA-256 by name, beside what is now in the places of their names.

    A place whose name the run did not read is `new`; a name without a place, or with nothing there, is `missing`.
    """
    now = {name: hash_path(path) for name, path in places.items() if path.exists()}
    return [_compared(name, recorded.get(name), now.get(name)) for name in [*recorded, *(now.keys() - recorded.keys())]]


def compare_stages(first: Sequence[TracedStage], again: Mapping[str, Manifest]) -> list[ComparedStage]:
    """Each stage of the first run beside that of the second, whose manifests are given by name, in the second's order.

    What the second run did not make comes last, as missing.
    """
    by_name = {stage.name: stage for stage in first}
    made = [_stage(by_name[name], manifest) for name, manifest in again.items() if name in by_name]
    gone = [one for one in first if one.name not in again]
    return made + [ComparedStage(name=one.name, state="missing", then=one.fingerprint, now=None) for one in gone]


def _stage(first: TracedStage, manifest: Manifest) -> ComparedStage:
    state: State = "equal" if first.fingerprint == manifest.fingerprint else "different"
    files: tuple[ComparedFile, ...] = ()
    if first.stored:
        then, now = _counted(first.files), _counted(manifest.files)
        files = tuple(_compared(name, then.get(name), now.get(name)) for name in sorted(then.keys() | now.keys()))
    return ComparedStage(
        name=first.name,
        state=state,
        then=first.fingerprint,
        now=manifest.fingerprint,
        same_code=first.code == manifest.code if first.stored else None,
        files=files,
    )


def _counted(files: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if not name.startswith(LOGS)}


def _compared(name: str, then: str | None, now: str | None) -> ComparedFile:
    state: State = "equal" if then == now else "new" if then is None else "missing" if now is None else "different"
    return ComparedFile(name=name, state=state, then=then, now=now)
