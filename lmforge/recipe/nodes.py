"""Parsed YAML that still knows where each value was written: in a line of a file, or in an override."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lmforge.wording import shown


@dataclass(frozen=True)
class Place:
    """A line of a recipe, or (line None) an override as it was typed; `str()` is the head of a message."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return shown(self.source, 200) if self.line is None else f"{shown(self.source, 200)}:{self.line}"


@dataclass
class Node:
    """A value; `place` is where its key stands, for an item of a list where the item starts.

    source: the scalar as written, without quotes. broken: already reported, its value means nothing.
    """

    place: Place
    value: str | int | float | bool | list[Node] | dict[str, Node] | None = None
    source: str = ""
    quoted: bool = False
    broken: bool = False

    def plain(self) -> Any:
        """The bare value, with dicts and lists."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def child(self, step: str | int) -> Node | None:
        """The value under a key or an index."""
        if isinstance(self.value, dict) and isinstance(step, str):
            return self.value.get(step)
        if isinstance(step, int) and 0 <= step < len(self.items()):
            return self.items()[step]
        return None

    def written(self) -> Iterator[Place]:
        """The places of this value and of everything below it."""
        yield self.place
        below = self.value.values() if isinstance(self.value, dict) else self.items()
        for child in below:
            yield from child.written()

    def items(self) -> list[Node]:
        """The items of a list; none for everything else."""
        return self.value if isinstance(self.value, list) else []

    def shown(self) -> str:
        """The value as written and fit for a message; text in quotes, so that 1 and "1" can be told apart."""
        if isinstance(self.value, dict):
            return "a mapping" if self.value else "an empty mapping"
        if isinstance(self.value, list):
            return f"a list of {len(self.value)}"
        if isinstance(self.value, str):
            return f'"{shown(self.value)}"'
        return shown(self.source) or "nothing"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. key: dotted path of the setting, empty for the file as a whole."""

    place: Place
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {shown(self.key, 200)}: {self.what}" if self.key else f"{self.place}: {self.what}"

    def order(self) -> tuple[bool, int]:
        """Sorts by line of the file, overrides last and among themselves as given."""
        return self.place.line is None, self.place.line or 0
