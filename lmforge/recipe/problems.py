"""What pydantic found, in plain words and with the line where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lmforge.recipe.base import NAME_PATTERN
from lmforge.recipe.keys import annotation_at, homes_of, known_keys
from lmforge.recipe.nodes import Node, Place, Problem
from lmforge.recipe.scalars import resolve_scalar
from lmforge.wording import listed, nearest, shown

MAX_PROBLEMS = 50

_NUMBER = "a whole number"
_EXPECTED = {
    "int_type": _NUMBER,
    "int_from_float": _NUMBER,
    "int_parsing_size": _NUMBER,
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} item(s)",
    "too_long": "at most {max_length} item(s)",
    "string_too_short": "at least {min_length} character(s)",
    "string_too_long": "at most {max_length} character(s)",
}
_PATTERNS = {NAME_PATTERN: "letters, digits, `_` and `-`, a letter or digit first, at most 63 in all"}


def explain(error: ValidationError, root: Node, model: type[BaseModel]) -> list[Problem]:
    """The problems of a recipe in the order of its lines; at most 51, since each costs a search for the nearest name.

    root: what was validated. What lies in or under a broken node has been reported before and is left out.
    """
    found = [(_steps(root, details), details) for details in error.errors(include_url=False)]
    told = [(steps, details) for steps, details in found if _sound(root, steps) and not _echo(root, steps, details)]
    problems = [(_place(root, steps, details), steps, details) for steps, details in told]
    problems.sort(key=lambda problem: Problem(problem[0], "", "").order())
    return [
        Problem(place, _dotted(steps), _what(details, _node_at(root, steps), steps, model))
        for place, steps, details in problems[: MAX_PROBLEMS + 1]
    ]


def unknown_key(steps: tuple[str | int, ...], model: Any) -> str:
    """What to say of the key at the end of `steps`: the nearest one there, where it belongs, or what is known there."""
    key, known = str(steps[-1]), known_keys(annotation_at(model, steps[:-1]))
    near = nearest(key, known)
    if near is not None:
        return f"unknown key; did you mean {near}?"
    homes = list(homes_of(key, model))
    if homes:
        return f"unknown key here; it belongs under {' or '.join(homes)}"
    return f"unknown key; known here: {listed(known, limit=20)}"


def _steps(root: Node, details: ErrorDetails) -> tuple[str | int, ...]:
    """Where the value stands, without the members of unions, which pydantic names among the keys."""
    absent = details["loc"][-1:] if details["type"] == "missing" else ()
    steps: list[str | int] = []
    node: Node | None = root
    for step in details["loc"][: len(details["loc"]) - len(absent)]:
        below = node.child(step) if node is not None else None
        if below is not None:
            steps.append(step)
            node = below
    if details["type"] == "union_tag_invalid" and node is not None and node.child("kind") is not None:
        steps.append("kind")
    return (*steps, *absent)


def _node_at(root: Node, steps: tuple[str | int, ...]) -> Node | None:
    node: Node | None = root
    for step in steps:
        node = node.child(step) if node is not None else None
    return node


def _sound(root: Node, steps: tuple[str | int, ...]) -> bool:
    path = (_node_at(root, steps[:end]) for end in range(len(steps) + 1))
    return not any(node is not None and node.broken for node in path)


def _echo(root: Node, steps: tuple[str | int, ...], details: ErrorDetails) -> bool:
    """Whether a list only counts as too short because pydantic leaves out its faulty items, which are told anyway."""
    node = _node_at(root, steps)
    return details["type"] == "too_short" and node is not None and len(node.items()) >= details["ctx"]["min_length"]


def _place(root: Node, steps: tuple[str | int, ...], details: ErrorDetails) -> Place:
    """Where to look: the value itself, for a missing key its parent, for values at odds an override among them."""
    node = _node_at(root, steps) or _node_at(root, steps[:-1]) or root
    if details["type"] != "value_error":
        return node.place
    overrides = [place for place in node.written() if place.line is None]
    return overrides[-1] if overrides else node.place


def _dotted(steps: tuple[str | int, ...]) -> str:
    return ".".join(str(step) for step in steps)


def _what(details: ErrorDetails, node: Node | None, steps: tuple[str | int, ...], model: Any) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(steps, model)
    if kind == "missing":
        return "missing, and it has no default; add it"
    if kind == "value_error":
        return str(context["error"])
    got = node.shown() if node is not None else "nothing"
    if kind == "union_tag_invalid":
        return _choice(re.findall("'(?:kind=)?([^']*)'", str(context["expected_tags"])), got, node)
    if kind == "literal_error":
        return _choice(re.findall("'([^']*)'", str(context["expected"])), got, node)
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return f"expected {_PATTERNS.get(pattern, f'text that matches {pattern}')}; got {got}"
    if kind in _EXPECTED:
        return "; ".join([f"expected {_EXPECTED[kind].format(**_bounds(context))}", f"got {got}", *_hints(kind, node)])
    return f"{details['msg'][:1].lower()}{details['msg'][1:]}; got {got}"


def _bounds(context: Mapping[str, Any]) -> dict[str, Any]:
    """Bounds as people write them: 1 for 1.0."""
    whole = {key: int(value) for key, value in context.items() if isinstance(value, float) and value.is_integer()}
    return {**context, **whole}


def _choice(choices: list[str], got: str, node: Node | None) -> str:
    near = nearest(str(node.value), choices) if node is not None else None
    return f"expected one of {', '.join(choices)}; got {got}" + (f"; did you mean {near}?" if near else "")


def _hints(kind: str, node: Node | None) -> Iterator[str]:
    """The way out of the commonest mix-ups of types."""
    if node is None:
        return
    expected, value = _EXPECTED[kind], node.value
    if expected == "text" and not isinstance(value, dict | list | None):
        yield f'put it in quotes: "{shown(node.source)}"'
    elif expected in (_NUMBER, "a number") and node.quoted and not isinstance(resolve_scalar(node.source), str):
        yield "remove the quotes"
    elif expected == _NUMBER and isinstance(value, float) and value.is_integer():
        yield f"write {int(value)}"
    elif expected == "true or false" and str(value).casefold() in ("yes", "on", "no", "off"):
        yield f"write {'true' if str(value).casefold() in ('yes', 'on') else 'false'}"
    elif expected == "a list" and isinstance(value, dict):
        yield "start each item with `- `"
    elif expected == "a mapping of keys" and value is None:
        yield "remove the key to keep the defaults"
