"""The schema as a tree of keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lmforge.recipe.base import Part
from lmforge.recipe.keys import annotation_at, homes_of, item_of, known_keys
from lmforge.recipe.schema import Recipe, Task


class Cat(Part):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(Part):
    kind: Literal["dog"] = "dog"
    tricks: tuple[str, ...] = ()


class Zoo(Part):
    star: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    animals: list[Cat] = []  # noqa: RUF012


def test_keys_go_by_alias() -> None:
    assert list(known_keys(annotation_at(Recipe, ("model",)))) == ["architecture", "size", "from"]


def test_optional_parts_and_lists_are_entered() -> None:
    assert "path" in known_keys(annotation_at(Recipe, ("corpus", "sources", 0)))
    assert item_of(annotation_at(Recipe, ("tasks",))) is Task
    assert item_of(annotation_at(Zoo, ("animals",))) is Cat


def test_a_union_knows_the_keys_of_its_members() -> None:
    assert set(known_keys(annotation_at(Zoo, ("star",)))) == {"kind", "lives", "tricks"}


def test_nothing_is_known_where_the_schema_does_not_lead() -> None:
    assert annotation_at(Recipe, ("corpse", "sources")) is None
    assert known_keys(annotation_at(Recipe, ("name",))) == {}
    assert item_of(annotation_at(Recipe, ("name",))) is None


def test_homes_of_a_key() -> None:
    assert list(homes_of("learning_rate", Recipe)) == ["pretraining", "tasks[].finetuning"]
    assert list(homes_of("vocab_size", Recipe)) == ["tokenizer"]
    assert list(homes_of("tricks", Zoo)) == ["star"]
    assert list(homes_of("nowhere", Recipe)) == []
