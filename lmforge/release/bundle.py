"""Evidence as a directory that proves itself: every file with its SHA-256, and a verdict that can be derived again.

The gate hash is the fingerprint of all files, so it names one decision on one set of answers. Hashes inside a directory
only find damage; what finds a forgery is the gate hash that the registered version carries.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import polars as pl
from pydantic import Field, ValidationError

from lmforge.artifacts.artifact import Frozen
from lmforge.errors import InputError, IntegrityError
from lmforge.hashing import hash_file, hash_files
from lmforge.release.decision import Decision
from lmforge.release.evidence import Evidence, Facts
from lmforge.release.gate import judge

_PREDICTIONS, _FACTS, _GATE, _SEAL = "predictions.parquet", "facts.json", "gate.json", "bundle.json"
# What a bundle has only where it was measured, by the name in the evidence.
_OPTIONAL = {"latency": "latency.parquet", "variants": "variants.parquet"}
# Sums of floats may differ in their last digits between machines, and no further.
_TOLERANCE = 1e-9
_Record = TypeVar("_Record", bound=Frozen)


class Seal(Frozen):
    """The content of `bundle.json`: SHA-256 by file name, and the gate hash over them."""

    files: dict[str, str] = Field(min_length=3)
    gate_hash: str


class Sealed(NamedTuple):
    """A bundle that is whole: what was decided on what, and the hash that an approval and a promotion are bound to."""

    evidence: Evidence
    decision: Decision
    gate_hash: str


def write_bundle(evidence: Evidence, directory: Path) -> Sealed:
    """Judge the evidence and write both to `directory`, which is made where it is missing; the seal comes last.

    Raises IntegrityError as `judge` does.
    """
    decision = judge(evidence)
    directory.mkdir(parents=True, exist_ok=True)
    tables = {_PREDICTIONS: evidence.examples, **_measured(evidence)}
    for name, table in tables.items():
        table.write_parquet(directory / name, compression="zstd")
    for name, record in ((_FACTS, evidence.facts), (_GATE, decision)):
        (directory / name).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    files = {name: hash_file(directory / name) for name in sorted((*tables, _FACTS, _GATE))}
    seal = Seal(files=files, gate_hash=hash_files(files))
    (directory / _SEAL).write_text(seal.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return Sealed(evidence, decision, seal.gate_hash)


def verify_bundle(directory: Path, gate_hash: str | None = None) -> Sealed:
    """Read a bundle, check every file and derive the verdict again.

    gate_hash: what the bundle must have, as the registered version says. Raises IntegrityError when a file is missing,
    additional or altered, when the gate hash is another, or when the evidence gives another decision than `gate.json`.
    """
    seal = _record(directory, _SEAL, Seal)
    _check_files(directory, seal)
    if gate_hash not in (None, seal.gate_hash):
        raise _void(directory, f"has gate hash {seal.gate_hash}, but {gate_hash} was registered")
    facts = _record(directory, _FACTS, Facts)
    optional = {name: _table(directory, file) for name, file in _OPTIONAL.items() if file in seal.files}
    evidence = Evidence(facts, _table(directory, _PREDICTIONS), **optional)
    stored = _record(directory, _GATE, Decision)
    try:
        derived = judge(evidence)
    except InputError as error:
        raise _void(directory, f"cannot be judged: {error}") from error
    if where := _difference(derived.model_dump(mode="json"), stored.model_dump(mode="json"), "gate"):
        raise _void(directory, f"does not give its own verdict again: {where}")
    return Sealed(evidence, stored, seal.gate_hash)


def _measured(evidence: Evidence) -> dict[str, pl.DataFrame]:
    tables = {file: getattr(evidence, name) for name, file in _OPTIONAL.items()}
    return {file: table for file, table in tables.items() if table is not None}


def _check_files(directory: Path, seal: Seal) -> None:
    found = {one.name for one in directory.iterdir()} - {_SEAL}
    required = {_PREDICTIONS, _FACTS, _GATE}
    if found != set(seal.files) or not required <= found <= required.union(_OPTIONAL.values()):
        raise _void(directory, f"holds {sorted(found)}, but its seal names {sorted(seal.files)}")
    altered = [name for name, digest in seal.files.items() if hash_file(directory / name) != digest]
    if altered:
        raise _void(directory, f"was altered: {', '.join(sorted(altered))}")
    if hash_files(seal.files) != seal.gate_hash:
        raise _void(directory, f"has a gate hash {seal.gate_hash} that is not that of its files")


def _record(directory: Path, name: str, record: type[_Record]) -> _Record:
    try:
        return record.model_validate_json((directory / name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise _void(directory, f"has no readable {name}: {error}") from error


def _table(directory: Path, name: str) -> pl.DataFrame:
    try:
        # From memory, because a lazily mapped file could change between its hash and its use.
        return pl.read_parquet(io.BytesIO((directory / name).read_bytes()))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _void(directory, f"has no readable {name}: {error}") from error


def _difference(derived: Any, stored: Any, path: str) -> str | None:
    """Where two JSON values differ by more than rounding; None where they do not."""
    if isinstance(derived, dict) and isinstance(stored, dict) and derived.keys() == stored.keys():
        pairs = [(f"{path}.{key}", derived[key], stored[key]) for key in derived]
    elif isinstance(derived, list) and isinstance(stored, list) and len(derived) == len(stored):
        pairs = [(f"{path}[{at}]", *both) for at, both in enumerate(zip(derived, stored, strict=True))]
    elif isinstance(derived, float) and isinstance(stored, float):
        close = math.isclose(derived, stored, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        return None if close else f"{path} is {stored!r}, derived {derived!r}"
    else:
        return None if derived == stored else f"{path} is {json.dumps(stored)[:80]}, derived {json.dumps(derived)[:80]}"
    return next((found for where, one, other in pairs if (found := _difference(one, other, where))), None)


def _void(directory: Path, what: str) -> IntegrityError:
    return IntegrityError(f"evidence {directory} {what}; it is void: evaluate the version again")
