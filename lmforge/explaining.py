"""Why a stage has to run: what differs between its request and the nearest result that the store holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lmforge.artifacts import Manifest, Store
from lmforge.artifacts.store import Request
from lmforge.hashing import short

REUSED = "same settings, inputs and code"
FIRST = "it never ran before"


def why_run(store: Store, request: Request) -> str:
    """The differences to the most similar stored result of this stage, in words."""
    nearest = min(
        (list(_differences(manifest, request)) for manifest in store.history(request.stage)), key=len, default=None
    )
    if nearest is None:
        return FIRST
    return "; ".join(nearest) or "its stored result is damaged or was removed"


def _differences(manifest: Manifest, request: Request) -> Iterator[str]:
    if manifest.code != request.code:
        yield "its code or a library changed"
    for role in sorted(manifest.inputs.keys() | request.inputs.keys()):
        before, now = manifest.inputs.get(role), request.inputs.get(role)
        if before != now:
            yield f"{role.removeprefix('file:')} changed ({_brief(before)} to {_brief(now)})"
    before_flat, now_flat = dict(_flat(manifest.config)), dict(_flat(request.config))
    for key in sorted(before_flat.keys() | now_flat.keys()):
        if before_flat.get(key) != now_flat.get(key):
            yield f"{key}: {before_flat.get(key)} to {now_flat.get(key)}"


def _brief(fingerprint: str | None) -> str:
    return short(fingerprint)[:8] if fingerprint else "absent"


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{prefix}.{index}")
    else:
        yield prefix, value
