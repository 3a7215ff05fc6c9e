"""What pydantic found, in plain words."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from lmforge.recipe.base import Part
from lmforge.recipe.nodes import Place
from lmforge.recipe.problems import MAX_PROBLEMS, explain, unknown_key
from lmforge.recipe.schema import Recipe
from lmforge.recipe.yaml_lines import read_yaml


class Cat(Part):
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)] = 9


class Dog(Part):
    kind: Literal["dog"]
    tricks: Annotated[tuple[str, ...], Field(max_length=1)] = ()
    tag: Annotated[str, Field(min_length=2, max_length=3)] = "abc"
    code: Annotated[str, Field(pattern="^[a-z]$")] = "a"


class Zoo(Part):
    star: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    loose: int | bool | None = None
    prices: dict[str, float] = {}  # noqa: RUF012


def problems_of(text: str, model: type[BaseModel] = Recipe) -> list[str]:
    root, before = read_yaml(text, lambda line: Place("r", line))
    try:
        model.model_validate_json(json.dumps(root.plain()), strict=True)
    except ValidationError as error:
        return [str(problem) for problem in [*before, *explain(error, root, model)]]
    return []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sed: 1", "sed: unknown key; did you mean seed?"),
        ("vocab_size: 1", "vocab_size: unknown key here; it belongs under tokenizer"),
        ("learning_rate: 1", "learning_rate: unknown key here; it belongs under pretraining or tasks[].finetuning"),
        ("model: {zzz: 1}", "model.zzz: unknown key; known here: architecture, size, from"),
        ("seed: '3'", 'seed: expected a whole number; got "3"; remove the quotes'),
        ("seed: 1e3", "seed: expected a whole number; got 1e3; write 1000"),
        ("seed: 1.5", "seed: expected a whole number; got 1.5"),
        ("seed: true", "seed: expected a whole number; got true"),
        ("seed: 1_000", 'seed: expected a whole number; got "1_000"'),
        ("seed: -1", "seed: expected at least 0; got -1"),
        ("seed: 99999999999999999999", "seed: expected less than 4294967296; got 99999999999999999999"),
        ("seed:", "seed: expected a whole number; got nothing"),
        ("tokenizer: {lowercase: no}", 'tokenizer.lowercase: expected true or false; got "no"; write false'),
        (
            "tokenizer: {kind: wordpeice}",
            'tokenizer.kind: expected one of wordpiece, bpe; got "wordpeice"; did you mean wordpiece?',
        ),
        ("tokenizer: {kind: 7}", "tokenizer.kind: expected one of wordpiece, bpe; got 7"),
        ("tokenizer:", "tokenizer: expected a mapping of keys; got nothing; remove the key to keep the defaults"),
        ("release: [1]", "release: expected a mapping of keys; got a list of 1"),
        ("tasks: {name: a}", "tasks: expected a list; got a mapping; start each item with `- `"),
        ("pretraining: {learning_rate: 0}", "pretraining.learning_rate: expected more than 0; got 0"),
        ("pretraining: {learning_rate: .nan}", "pretraining.learning_rate: expected a finite number; got .nan"),
        ("pretraining: {learning_rate: high}", 'pretraining.learning_rate: expected a number; got "high"'),
        ("pretraining: {dropout: 2}", "pretraining.dropout: expected at most 1; got 2"),
        ("model: {from: 3}", 'model.from: expected text; got 3; put it in quotes: "3"'),
        ("corpus: {sources: []}", "corpus.sources: expected at least 1 item(s); got a list of 0"),
    ],
)
def test_each_kind_of_mistake(line: str, expected: str) -> None:
    assert f"r:2: {expected}" in problems_of(f"name: x\n{line}\n")


def test_names_are_explained_not_quoted_as_a_pattern() -> None:
    assert problems_of("name: a/b")[0] == (
        'r:1: name: expected letters, digits, `_` and `-`, a letter or digit first, at most 63 in all; got "a/b"'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("star: {kind: cta}", 'r:1: star.kind: expected one of cat, dog; got "cta"; did you mean cat?'),
        ("star:\n  kind: cat\n  lives: 10", "r:3: star.lives: expected at most 9; got 10"),
        ("star:\n  kind: dog\n  trics: []", "r:3: star.trics: unknown key; did you mean tricks?"),
        ("star: {kind: dog, tricks: [a, b]}", "r:1: star.tricks: expected at most 1 item(s); got a list of 2"),
        ("star: {kind: dog, tag: a}", 'r:1: star.tag: expected at least 2 character(s); got "a"'),
        ("star: {kind: dog, tag: abcd}", 'r:1: star.tag: expected at most 3 character(s); got "abcd"'),
        ("star: {kind: dog, code: A}", 'r:1: star.code: expected text that matches ^[a-z]$; got "A"'),
        ("loose: a", 'r:1: loose: expected a whole number; got "a"'),
        ("prices: [1]", "r:1: prices: expected a mapping of keys; got a list of 1"),
    ],
)
def test_unions_and_mappings_of_later_schemas(text: str, expected: str) -> None:
    assert expected in problems_of(text, Zoo)


def test_a_missing_key_points_at_its_parent() -> None:
    found = problems_of("name: x\ntasks:\n  - name: a\n    data: {path: x}\n\n  - kind: sequence_classification\n")
    assert found == [f"r:6: tasks.1.{key}: missing, and it has no default; add it" for key in ("name", "data")]


def test_values_at_odds_point_at_their_parent() -> None:
    found = problems_of("name: x\ncorpus: {sources: [{path: a}]}\npretraining:\n  max_steps: 10\n  warmup_steps: 10\n")
    assert found == ["r:3: pretraining: warmup_steps 10 must be below max_steps 10"]


def test_a_faulty_item_does_not_make_its_list_too_short() -> None:
    assert problems_of("name: x\ncorpus:\n  sources:\n    - path: 1\n") == [
        'r:4: corpus.sources.0.path: expected text; got 1; put it in quotes: "1"'
    ]


def test_what_was_refused_before_is_not_told_twice() -> None:
    found = problems_of("name: x\nseed: &a x\nmodel: &b {sise: mini}\nrelease: {alpha: 7}")
    assert [problem.split(":")[1] for problem in found] == ["2", "3", "4"]
    assert "alpha" in found[-1]


def test_the_order_is_that_of_the_lines_and_the_number_is_bounded() -> None:
    found = problems_of("name: x\n" + "".join(f"k{i}: 1\n" for i in range(300)))
    lines = [int(problem.split(":")[1]) for problem in found]
    assert lines == list(range(2, MAX_PROBLEMS + 3))


def test_unknown_key_looks_only_at_its_level_first() -> None:
    assert unknown_key(("pretraining", "learning_rte"), Recipe) == "unknown key; did you mean learning_rate?"
    assert unknown_key(("corpus", "mask_personal_data"), Recipe) == "unknown key here; it belongs under corpus.cleaning"
