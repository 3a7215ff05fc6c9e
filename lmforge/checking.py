"""One row of a diagnosis."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Check(NamedTuple):
    """What was looked at, how it stands, what was found, and what to do about it (empty when it is fine)."""

    name: str
    state: Literal["ok", "warning", "problem"]
    found: str
    fix: str = ""

    @classmethod
    def ok(cls, name: str, found: str) -> Check:
        return cls(name, "ok", found)

    @classmethod
    def warning(cls, name: str, found: str, fix: str) -> Check:
        return cls(name, "warning", found, fix)

    @classmethod
    def problem(cls, name: str, found: str, fix: str) -> Check:
        return cls(name, "problem", found, fix)
