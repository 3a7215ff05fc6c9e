"""The handle that stages exchange and the manifest that proves what it points to.

The manifest is written last, so its presence means that the directory is complete. Files below `logs/` are listed
and verified but do not enter the fingerprint: they may hold wall times.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from lmforge.errors import IntegrityError
from lmforge.hashing import hash_files, short

MANIFEST = "manifest.json"
LOGS = "logs/"


class Frozen(BaseModel):
    """Strict, immutable base of the records here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Counts(Frozen):
    """Records of a stage; they balance: read = kept + repaired + quarantined (kept means unchanged)."""

    read: int = 0
    kept: int = 0
    repaired: int = 0
    quarantined: int = 0
    unit: str = "records"
    reasons: dict[str, int] = Field(default_factory=dict)

    def check(self) -> None:
        """Raise IntegrityError when records were lost or invented."""
        if self.read != self.kept + self.repaired + self.quarantined:
            raise IntegrityError(
                f"records do not balance: read {self.read}, kept {self.kept}, repaired {self.repaired}, "
                f"quarantined {self.quarantined}"
            )


class Manifest(Frozen):
    """Everything that made a directory, and a hash of every file in it."""

    stage: str
    kind: str
    key: str
    config: dict[str, Any]
    inputs: dict[str, str]
    code: str
    version: str
    counts: Counts = Counts()
    facts: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str]
    sizes_bytes: dict[str, int]
    seconds: float

    @property
    def fingerprint(self) -> str:
        return hash_files({name: digest for name, digest in self.files.items() if not name.startswith(LOGS)})

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes_bytes.values())


class Artifact(Frozen):
    """A published directory: its kind, place and content fingerprint."""

    kind: str
    path: Path
    fingerprint: str

    @property
    def manifest(self) -> Manifest:
        return Manifest.model_validate(json.loads((self.path / MANIFEST).read_text(encoding="utf-8")))

    def __str__(self) -> str:
        return f"{self.kind} {short(self.fingerprint)}"
