"""Changes to a recipe from the command line: `pretraining.max_steps=100`, `tasks.sentiment.metric=accuracy`.

An override is part of the recipe, not a second source of settings: it is put into the parsed file before validation,
so that ranges and contradictions are checked over both, and a message names the override it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lmforge.errors import InputError
from lmforge.recipe.keys import item_of, known_keys
from lmforge.recipe.nodes import Node, Place, Problem
from lmforge.recipe.problems import unknown_key
from lmforge.recipe.yaml_lines import read_yaml
from lmforge.wording import listed, nearest, shown


def apply_overrides(root: Node, model: type[Any], overrides: Sequence[str]) -> list[Problem]:
    """Put `key.sub=value` into the tree in order, so that the last one wins; returns what could not be put.

    Values are YAML. A list is entered by index or by the `name` of an item. A mapping that the schema knows and the
    file leaves out is made on the way.
    """
    return [problem for text in overrides for problem in _apply(root, model, text)]


def _apply(root: Node, model: type[Any], text: str) -> list[Problem]:
    place = Place(f"--set {text}")
    path, equals, written = text.partition("=")
    path = path.strip()
    if not equals or not all(path.split(".")):
        return [Problem(place, "", "expected key=value, for example --set pretraining.max_steps=100")]
    value, problems = read_yaml(written, lambda _line: place)
    if problems:
        return [Problem(place, path, problem.what) for problem in problems]
    value.place = place
    try:
        _put(root, model, path.split("."), value)
    except InputError as error:
        return [Problem(place, "", str(error))]
    return []


def _put(root: Node, model: Any, names: list[str], value: Node) -> None:
    """Walk file and schema in step, then set the value; the tree is untouched unless the whole way is known.

    InputError: a name that the schema or a list of the file does not know.
    """
    node, annotation = root, model
    steps: tuple[str | int, ...] = ()
    changes: list[tuple[Node, str | int, Node]] = []
    for position, name in enumerate(names):
        step = _step(node, annotation, name, steps, model)
        steps = (*steps, step)
        annotation = item_of(annotation) if isinstance(step, int) else known_keys(annotation)[step]
        last = position == len(names) - 1
        below = value if last else node.child(step)
        if below is None or (below.value is None and not last):
            below = Node(value.place, [] if item_of(annotation) is not None else {})
        if below is not node.child(step):
            changes.append((node, step, below))
        node = below
    for parent, step, below in changes:
        _set(parent, step, below)


def _set(node: Node, step: str | int, value: Node) -> None:
    # A value of the wrong kind is left as it is: its line of the file is reported, and that is what must be mended.
    if isinstance(step, int):
        node.items()[step] = value
    elif isinstance(node.value, dict):
        node.value[step] = value


def _step(node: Node, annotation: Any, name: str, steps: tuple[str | int, ...], model: Any) -> str | int:
    """The key or index that `name` means at this place."""
    label = ".".join(str(step) for step in (*steps, name))
    if item_of(annotation) is not None:
        return _index(node, name, label)
    known = known_keys(annotation)
    if not known:
        raise InputError(f"{shown(label)}: {steps[-1]} is a single value and has no keys below it")
    if name not in known:
        raise InputError(f"{shown(label)}: {unknown_key((*steps, name), model)}")
    return name


def _index(node: Node, name: str, label: str) -> int:
    """The index of an item: a number, or the item's name, which wins when an item is named like a number."""
    items = node.items()
    named = ((index, item.child("name")) for index, item in enumerate(items))
    indices = {str(child.value): index for index, child in named if child is not None}
    if name in indices:
        return indices[name]
    if name.isascii() and name.isdigit() and len(name) < 6 and int(name) < len(items):
        return int(name)
    parent = label.rpartition(".")[0]
    if not items:
        raise InputError(
            f"{shown(label)}: no such item; {parent} is empty here, so set it as a whole: '{parent}=[...]'"
        )
    near = nearest(name, indices)
    there = f"{parent} has {len(items)}, counted from 0" + (f" ({listed(indices)})" if indices else "")
    raise InputError(f"{shown(label)}: no such item; {there}" + (f"; did you mean {shown(near)}?" if near else ""))
