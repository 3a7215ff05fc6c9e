"""Which keys the schema knows at a place of a recipe, read from the pydantic models.

A field that has an alias is known by its first alias (`model.from`), not by its name in Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo


def known_keys(annotation: Any) -> dict[str, Any]:
    """Key to annotation of what stands below; empty for a single value or a list; of a union all keys."""
    keys: dict[str, Any] = {}
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            keys.update({_key(name, field): field.annotation for name, field in member.model_fields.items()})
    return keys


def item_of(annotation: Any) -> Any:
    """The annotation of an item of a list; None when it is no list."""
    return next((get_args(member)[0] for member in _members(annotation) if get_origin(member) in (tuple, list)), None)


def annotation_at(annotation: Any, steps: tuple[str | int, ...]) -> Any:
    """The annotation below `annotation` after the steps; None where the schema does not lead."""
    for step in steps:
        annotation = item_of(annotation) if isinstance(step, int) else known_keys(annotation).get(step)
    return annotation


def homes_of(key: str, annotation: Any, at: str = "") -> Iterator[str]:
    """Every place of the schema that knows `key`: `pretraining`, `tasks[].data`."""
    keys = known_keys(annotation)
    if key in keys and at:
        yield at
    for name, below in keys.items():
        item = item_of(below)
        path = f"{at}.{name}" if at else name
        yield from homes_of(key, below if item is None else item, path if item is None else f"{path}[]")


def _members(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif origin is Annotated:
        yield from _members(get_args(annotation)[0])
    else:
        yield annotation


def _key(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    first = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    return first if isinstance(first, str) else name
