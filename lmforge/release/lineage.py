"""What a model was made of, read backwards from its fingerprints through the manifests of the store.

A stage is found by its key where the run recorded one, else by the content that it made: two keys may hold the same
content, and then either is what the model was made of. What the store no longer holds stays in the list with what is
known of it, `stored` false; from there on backwards only the run's own record is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from lmforge.artifacts.artifact import Counts, Frozen, Manifest
from lmforge.artifacts.store import Store

# Inputs that no stage made: files of the project, files of a model that a run started from, tokens that it replayed.
OUTSIDE = ("file:", "start:", "replay:")


class Recorded(NamedTuple):
    """What a run or a version says of a stage: the fingerprint of what it made, and the key if that is known."""

    fingerprint: str
    key: str | None = None


class TracedInput(Frozen):
    """An input of a stage by role; `stage` made it, None for a file or a stage that nothing is known of."""

    role: str
    fingerprint: str
    stage: str | None


class TracedStage(Frozen):
    """A stage behind a model. Without the artifact in the store only name, fingerprint and perhaps the key are known.

    files: SHA-256 by path in the artifact. code: hash of the source and the library versions that decide the result.
    """

    name: str
    fingerprint: str
    key: str | None
    stored: bool
    path: Path | None = None
    kind: str | None = None
    inputs: tuple[TracedInput, ...] = ()
    counts: Counts = Counts()
    code: str | None = None
    version: str | None = None
    seconds: float | None = None
    size_bytes: int | None = None
    files: dict[str, str] = Field(default_factory=dict)


def trace(store: Store, wanted: Iterable[str], recorded: Mapping[str, Recorded]) -> list[TracedStage]:
    """The stages behind the stages `wanted`, each after those that it reads.

    recorded: by stage name, at least those in `wanted`.
    """
    shelf, found = _Shelf(store), dict[str, TracedStage]()

    def visit(name: str, one: Recorded) -> None:
        if name in found:
            return
        manifest = shelf.find(name, one)
        if manifest is None:
            found[name] = TracedStage(name=name, fingerprint=one.fingerprint, key=one.key, stored=False)
            return
        inputs = [_input(role, print_, recorded, shelf) for role, print_ in manifest.inputs.items()]
        for given in inputs:
            if given.stage is not None:
                visit(given.stage, recorded.get(given.stage, Recorded(given.fingerprint)))
        found[name] = _stage(store, manifest, tuple(inputs))

    for name in wanted:
        visit(name, recorded[name])
    return list(found.values())


def missing(stages: Sequence[TracedStage]) -> list[str]:
    """A sentence for each stage that is no longer in the store, and for each input that nothing more is known of."""
    said = "no longer in the store; what it was made of is known only as far as the run recorded it"
    gone = [f"{stage.name} {stage.fingerprint[:16]}: {said}" for stage in stages if not stage.stored]
    inputs = [(stage, one) for stage in stages for one in stage.inputs if _is_unknown(one)]
    known = "neither in the store nor recorded by the run"
    return gone + [f"{one.role} {one.fingerprint[:16]} of {stage.name}: {known}" for stage, one in inputs]


class _Shelf:
    """The manifests of a store, read once, without those of parts of a stage such as `clean.units`."""

    def __init__(self, store: Store) -> None:
        names = sorted(path.name for path in store.root.iterdir() if path.is_dir()) if store.root.is_dir() else []
        self._manifests = [one for name in names if "." not in name for one in store.history(name)]

    def find(self, stage: str, wanted: Recorded) -> Manifest | None:
        held = [one for one in self._manifests if one.stage == stage and one.fingerprint == wanted.fingerprint]
        return next((one for one in held if one.key == wanted.key), held[0] if held else None)

    def maker(self, fingerprint: str) -> str | None:
        return next((one.stage for one in self._manifests if one.fingerprint == fingerprint), None)


def _input(role: str, fingerprint: str, recorded: Mapping[str, Recorded], shelf: _Shelf) -> TracedInput:
    if role.startswith(OUTSIDE):
        return TracedInput(role=role, fingerprint=fingerprint, stage=None)
    makers = [name for name, one in recorded.items() if one.fingerprint == fingerprint]
    stage = role if role in makers else next(iter(makers), None) or shelf.maker(fingerprint)
    return TracedInput(role=role, fingerprint=fingerprint, stage=stage)


def _is_unknown(one: TracedInput) -> bool:
    return one.stage is None and not one.role.startswith(OUTSIDE)


def _stage(store: Store, manifest: Manifest, inputs: tuple[TracedInput, ...]) -> TracedStage:
    return TracedStage(
        name=manifest.stage,
        fingerprint=manifest.fingerprint,
        key=manifest.key,
        stored=True,
        path=store.root / manifest.stage / manifest.key,
        kind=manifest.kind,
        inputs=inputs,
        counts=manifest.counts,
        code=manifest.code,
        version=manifest.version,
        seconds=manifest.seconds,
        size_bytes=manifest.size_bytes,
        files=manifest.files,
    )
