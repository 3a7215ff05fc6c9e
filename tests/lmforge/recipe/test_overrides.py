"""Changes to a recipe from the command line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.recipe.nodes import Node, Place
from lmforge.recipe.overrides import apply_overrides
from lmforge.recipe.schema import Recipe
from lmforge.recipe.yaml_lines import read_yaml

TEXT = """\
name: x
corpus: {sources: [{path: a}, {path: b}]}
pretraining: {max_steps: 100}
release:
tasks:
  - {name: section, data: {path: c}}
  - {name: "0", data: {path: d}}
"""


def apply(*overrides: str) -> tuple[Node, list[str]]:
    root, _ = read_yaml(TEXT, lambda line: Place("r", line))
    return root, [str(problem) for problem in apply_overrides(root, Recipe, overrides)]


def at(root: Node, *steps: str | int) -> Any:
    node: Node | None = root
    for step in steps:
        assert node is not None
        node = node.child(step)
    return node.plain() if node is not None else None


@pytest.mark.parametrize(
    ("override", "steps", "value"),
    [
        ("pretraining.learning_rate=1e-3", ("pretraining", "learning_rate"), 0.001),
        ("pretraining.max_steps = 7", ("pretraining", "max_steps"), 7),
        ("tasks.1.metric=accuracy", ("tasks", 1, "metric"), "accuracy"),
        ("tasks.section.finetuning.learning_rate=1e-3", ("tasks", 0, "finetuning", "learning_rate"), 0.001),
        ("tasks.0.metric=accuracy", ("tasks", 1, "metric"), "accuracy"),
        ("corpus.sources.1.path=x=y", ("corpus", "sources", 1, "path"), "x=y"),
        ("corpus.sources.0={path: z}", ("corpus", "sources", 0), {"path": "z"}),
        ("corpus.cleaning.languages=[no, en]", ("corpus", "cleaning", "languages"), ["no", "en"]),
        ("release.alpha=0.02", ("release", "alpha"), 0.02),
        ("expectations.raw_corpus.min_documents=1", ("expectations", "raw_corpus", "min_documents"), 1),
        ("model.from='1'", ("model", "from"), "1"),
        ("corpus=", ("corpus",), None),
        ("tokenizer.lowercase=no", ("tokenizer", "lowercase"), "no"),
        ("name=${HOME}$(id){{x}}", ("name",), "${HOME}$(id){{x}}"),
    ],
)
def test_values_land_where_they_belong(override: str, steps: tuple[str | int, ...], value: Any) -> None:
    root, problems = apply(override)
    assert problems == []
    assert at(root, *steps) == value
    assert type(at(root, *steps)) is type(value)


def test_the_rest_of_the_file_stays() -> None:
    root, _ = apply("tasks.section.metric=accuracy")
    assert at(root, "tasks", 0, "data") == {"path": "c"}
    assert at(root, "pretraining") == {"max_steps": 100}


def test_the_last_one_wins_and_later_ones_see_earlier_ones() -> None:
    root, problems = apply("seed=1", "seed=2", "tasks=[{name: new}]", "tasks.new.minimum=0.5")
    assert problems == []
    assert (at(root, "seed"), at(root, "tasks")) == (2, [{"name": "new", "minimum": 0.5}])


def test_what_is_put_is_known_by_its_override() -> None:
    root, _ = apply("expectations.raw_corpus.min_documents=1", "release={alpha: 1}")
    places = {str(place) for place in root.written() if place.line is None}
    assert places == {"--set expectations.raw_corpus.min_documents=1", "--set release={alpha: 1}"}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("pretraining.learning_rte=1", "pretraining.learning_rte: unknown key; did you mean learning_rate?"),
        ("pretrainig.max_steps=1", "pretrainig: unknown key; did you mean pretraining?"),
        ("max_steps=1", "max_steps: unknown key here; it belongs under pretraining or tasks[].finetuning"),
        (
            "tasks.sektion.metric=x",
            "tasks.sektion: no such item; tasks has 2, counted from 0 (section, 0); did you mean section?",
        ),
        ("tasks.2.metric=x", "tasks.2: no such item; tasks has 2, counted from 0 (section, 0)"),
        ("tasks.-1.metric=x", "tasks.-1: no such item"),
        ("tasks.99999999999999999999=x", "tasks.99999999999999999999: no such item"),
        (
            "tasks.section.data.labels.0=x",
            "tasks.0.data.labels.0: no such item; tasks.0.data.labels is empty here, so set it as a whole: 'tasks.",
        ),
        ("model.size.x.y=1", "model.size.x: size is a single value and has no keys below it"),
        ("tokenizer.kid=1", "tokenizer.kid: unknown key; did you mean kind?"),
        ("name.first=x", "name.first: name is a single value and has no keys below it"),
        ("corpus.sources.0.path.x=1", "corpus.sources.0.path.x: path is a single value and has no keys below it"),
        ("seed", "expected key=value, for example --set pretraining.max_steps=100"),
        ("=1", "expected key=value"),
        ("pretraining..max_steps=1", "expected key=value"),
        ("", "expected key=value"),
        ("seed=[", "seed: not valid YAML: "),
        ("model.from=*x", "model.from: aliases (`*x`) are refused; write it out, or quote a text that starts with *"),
        ("seed=!!int 1", "seed: tags (`tag:yaml.org,2002:int`) are refused"),
        ("release={alpha: 1, alpha: 2}", "release: given twice"),
    ],
)
def test_mistakes_name_the_override_and_the_nearest_key(override: str, expected: str) -> None:
    root, problems = apply(override)
    assert len(problems) == 1
    assert problems[0].startswith(f"--set {override}: {expected}"), problems[0]
    assert all(place.line is not None for place in root.written())


def test_all_mistakes_are_told() -> None:
    root, problems = apply("sed=1", "seed=3", "nam=x")
    assert [problem.split(": ")[0] for problem in problems] == ["--set sed=1", "--set nam=x"]
    assert at(root, "seed") == 3


def test_a_value_of_the_wrong_kind_in_the_file_is_left_to_be_reported() -> None:
    root, _ = read_yaml("pretraining: 3\ntasks: x", lambda line: Place("r", line))
    assert apply_overrides(root, Recipe, ["pretraining.max_steps=1"]) == []
    assert root.plain() == {"pretraining": 3, "tasks": "x"}


@settings(deadline=None)
@given(
    st.text() | st.builds("{}={}".format, st.sampled_from(["seed", "tasks.0", "corpus.sources", "model"]), st.text())
)
def test_any_text_is_put_or_reported_in_one_printable_line(override: str) -> None:
    root, problems = apply(override)
    assert problems or any(place.line is None for place in root.written())
    assert all(problem.startswith("--set") and problem.isprintable() for problem in problems)
