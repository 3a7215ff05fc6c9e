"""Strict YAML to nodes with places, built from the parser's events.

Building from events rather than loading keeps aliases from ever being expanded and tags from being constructed.
Anchors, aliases, merge keys, tags, directives, duplicate keys and a second document are refused: a recipe has
one reading, and the line of a message is the line of the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from lmforge.recipe.nodes import Node, Place, Problem
from lmforge.recipe.scalars import resolve_scalar
from lmforge.wording import shown

# Recipes are five levels deep; the parser needs quadratic time in depth.
MAX_DEPTH = 32


class _UnreadableError(Exception):
    """Reading cannot go on after this problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def read_yaml(text: str, place: Callable[[int], Place]) -> tuple[Node, list[Problem]]:
    """Parse one document; `place` turns a line number (from 1) into a place.

    Returns the root and the problems. When the text is not YAML at all, the root is broken. No text is a null.
    """
    reader = _Reader(text, place)
    try:
        return reader.document(), reader.problems
    except _UnreadableError as unreadable:
        return Node(place(1), broken=True), [*reader.problems, unreadable.problem]


def _events(text: str, place: Callable[[int], Place]) -> Iterator[Any]:
    """The parser's events; whatever it raises becomes a problem with a line."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    # Besides its own errors the parser lets those of chr() through, for escapes such as \UFFFFFFFF.
    except (YAMLError, ValueError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else _line_of(text, getattr(error, "position", 0))
        raise _UnreadableError(Problem(place(line), "", f"not valid YAML: {_reason(error)}")) from error


def _line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _reason(error: Exception) -> str:
    """What the parser says, in one line, with a way out where it is known."""
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    reason = shown(" ".join(f"{context}: {said}".split() if context else str(said).split()), 200)
    if "'\\t'" in reason:
        return f"{reason}; indent with spaces, not with tabs"
    if any(f"character {sign!r}" in reason for sign in "@`%"):
        return f"{reason}; put the value in quotes"
    if "mapping values are not allowed" in reason:
        return f"{reason}; put a value that holds `: ` in quotes, and indent keys of one level alike"
    return reason


class _Reader:
    """Turns events into nodes by recursive descent, at most MAX_DEPTH deep."""

    def __init__(self, text: str, place: Callable[[int], Place]) -> None:
        self.problems: list[Problem] = []
        self._place = place
        self._stream = _events(text, place)
        self._event: Any = None

    def document(self) -> Node:
        """The root of the only document; a null where there is none."""
        self._next()
        if self._next() == "StreamEnd":
            return Node(self._place(1))
        if self._event.version or self._event.tags:
            self._refuse("", "directives (`%...`) are refused; remove the line")
        self._next()
        root = self._node("", 0)
        self._next()
        if self._next() != "StreamEnd":
            self._stop("a second document starts here; a recipe is one document, so remove `---` and `...`")
        return root

    def _node(self, key: str, depth: int) -> Node:
        """The node that starts with the current event; afterwards its last event is the current one."""
        if depth > MAX_DEPTH:
            self._stop(f"nested more than {MAX_DEPTH} levels deep")
        node = Node(self._here(), broken=self._decorated(key))
        kind = self._kind()
        if kind == "Scalar":
            self._scalar(node, key)
        elif kind == "SequenceStart":
            node.value = self._sequence(key, depth)
        elif kind == "MappingStart":
            node.value = self._mapping(key, depth)
        return node

    def _scalar(self, node: Node, key: str) -> None:
        node.source = _paired(self._event.value)
        node.quoted = self._event.style is not None
        node.value = node.source if node.quoted else resolve_scalar(node.source)
        # "\ud800" in double quotes is YAML but no text: it cannot be written to a file or hashed.
        if any("\ud800" <= character <= "\udfff" for character in node.source):
            node.broken, node.value = True, None
            self._refuse(key, "holds half of a surrogate pair; write the character itself")

    def _sequence(self, key: str, depth: int) -> list[Node]:
        items: list[Node] = []
        while self._next() != "SequenceEnd":
            items.append(self._node(_joined(key, len(items)), depth + 1))
        return items

    def _mapping(self, key: str, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while self._next() != "MappingEnd":
            place, name = self._here(), self._name(key, depth)
            self._next()
            child = self._node(_joined(key, name or "?"), depth + 1)
            child.place = place
            if name is None:
                continue
            if name in entries:
                what = f"given twice, first in line {entries[name].place.line or 1}; keep one"
                self.problems.append(Problem(place, _joined(key, name), what))
                continue
            entries[name] = child
        return entries

    def _name(self, key: str, depth: int) -> str | None:
        """The key that starts with the current event; None when it was refused."""
        if self._kind() != "Scalar":
            self._refuse(key, "a key must be a plain word, not a list, a mapping or an alias")
            self._node(key, depth + 1)
            return None
        name, merge = _paired(self._event.value), self._event.value == "<<" and self._event.style is None
        if merge:
            self._refuse(key, "merge keys (`<<`) are refused; write the keys out")
        holder = Node(self._here(), broken=self._decorated(_joined(key, name)))
        self._scalar(holder, _joined(key, name))
        return None if merge or holder.broken else name

    def _decorated(self, key: str) -> bool:
        """Refuses an alias, an anchor or a tag at the current event; true if there was one."""
        event, before = self._event, len(self.problems)
        if self._kind() == "Alias":
            what = f"aliases (`*{shown(event.anchor)}`) are refused; write it out, or quote a text that starts with *"
            self._refuse(key, what)
            return True
        if event.anchor is not None:
            self._refuse(key, f"anchors (`&{shown(event.anchor)}`) are refused; quote a text that starts with &")
        if event.tag is not None:
            self._refuse(key, f"tags (`{shown(str(event.tag))}`) are refused; quote a text that starts with !")
        return len(self.problems) > before

    def _next(self) -> str:
        self._event = next(self._stream)
        return self._kind()

    def _kind(self) -> str:
        return type(self._event).__name__.removesuffix("Event")

    def _here(self) -> Place:
        return self._place(self._event.start_mark.line + 1)

    def _refuse(self, key: str, what: str) -> None:
        self.problems.append(Problem(self._here(), key, what))

    def _stop(self, what: str) -> NoReturn:
        raise _UnreadableError(Problem(self._here(), "", what))


def _paired(text: str) -> str:
    """Joins the two halves that JSON writes for a character beyond U+FFFF; YAML reads them as two."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _joined(key: str, step: str | int) -> str:
    return f"{key}.{step}" if key else str(step)
