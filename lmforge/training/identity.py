"""What a run directory was begun with, so that no other run goes on in it by mistake.

`run.json` holds the spec, with the content of files in the place of their paths. It binds from the first checkpoint
on; before that there is nothing to go on from, and a corrected spec may take the directory over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lmforge.artifacts.artifact import LOGS, MANIFEST
from lmforge.errors import InputError
from lmforge.hashing import hash_file, short
from lmforge.training.durable import write_file
from lmforge.training.spec import TrainingSpec
from lmforge.wording import shown

FILE = "run.json"
# What may change on the way: where things are, what people see, and how often the state is kept.
_FREE = frozenset({"name", "run_dir", "model_dir", "keep_checkpoints", "log_every_n_steps", "probes"})
# Another number of processes adds up in another order: the same run to within rounding, see docs/distributed.md. But
# the moments of copies and of shards are kept in another order.
_FREE_SETTINGS = frozenset({"settings.checkpoint_every_n_steps", "settings.num_processes"})
_DATA, _SPLITS = ("data", "replay"), ("train", "validation")


def hold_to(spec: TrainingSpec, *, resumed: bool) -> None:
    """Note what a new run is begun with, or refuse to resume one that was begun with something else.

    Raises InputError that lists what differs. A file whose size, time and inode are those that were noted is taken to
    have the noted content; others are read.
    """
    path = spec.run_dir / FILE
    begun = _read(path)
    now = dict(_entries("", spec, begun))
    if not resumed:
        write_file(path, (json.dumps(now, indent=1, sort_keys=True) + "\n").encode(), "train.identity")
        return
    differing = [
        f"  {name}: {_words(begun.get(name))} then, {_words(now.get(name))} now"
        for name in sorted(now.keys() | begun.keys())
        if _content(begun.get(name)) != _content(now.get(name))
    ]
    if differing:
        listed = "\n".join(differing)
        raise InputError(
            f"{shown(str(spec.run_dir), 200)}: the checkpoints here are of another run, which differs in\n{listed}\n"
            "write that again to go on with it; for a new run use another directory or remove this one"
        )


def _entries(name: str, value: Any, begun: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and JSON values of all leaves that decide the result."""
    if isinstance(value, Path):
        for inner, file in _files(name, value):
            yield inner, _fingerprint(file, begun.get(inner))
    elif isinstance(value, BaseModel | dict):
        items = value.items() if isinstance(value, dict) else ((one, getattr(value, one)) for one in _fields(value))
        for key, item in items:
            inner = f"{name}.{key}" if name else str(key)
            if inner not in _FREE | _FREE_SETTINGS:
                yield from _entries(inner, item, begun)
    elif isinstance(value, tuple | list) and any(isinstance(one, Path | BaseModel) for one in value):
        for number, item in enumerate(value):
            yield from _entries(f"{name}.{number}", item, begun)
    else:
        yield name, list(value) if isinstance(value, tuple) else value


def _fields(value: BaseModel) -> Iterator[str]:
    return iter(type(value).model_fields)


def _files(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """The files that a path of a spec stands for, under their names here; of the data only what training reads."""
    if not path.is_dir():
        yield name, path
        return
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        below = file.relative_to(path).as_posix()
        unread = below == MANIFEST or below.startswith(LOGS) or any(part.startswith(".") for part in below.split("/"))
        if not unread and (name not in _DATA or below.startswith(_SPLITS)):
            yield f"{name}/{below}", file


def _fingerprint(file: Path, noted: Any) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    status = file.stat()
    known = {"size_bytes": status.st_size, "inode": status.st_ino, "mtime_ns": status.st_mtime_ns}
    if isinstance(noted, dict) and all(noted.get(key) == value for key, value in known.items()):
        return noted
    return known | {"sha256": hash_file(file)}


def _content(value: Any) -> Any:
    return value["sha256"] if isinstance(value, dict) and "sha256" in value else value


def _words(value: Any) -> str:
    content = _content(value)
    if content is not value:
        return f"sha256 {short(content)}"
    return "nothing" if value is None else shown(json.dumps(value))


def _read(path: Path) -> dict[str, Any]:
    try:
        noted = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}
