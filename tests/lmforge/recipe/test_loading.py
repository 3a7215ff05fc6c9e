"""Loading a recipe: what is read, and everything that is wrong at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.errors import InputError, RecipeError
from lmforge.recipe import load_recipe
from lmforge.recipe.loading import MAX_BYTES, recipe_schema
from lmforge.recipe.problems import MAX_PROBLEMS
from lmforge.recipe.schema import Recipe

GOOD = """\
name: sections
corpus:
  sources:
    - path: data/*.jsonl
  cleaning: {languages: [no, en]}
pretraining:
  max_steps: 200
  learning_rate: 1e-3
tasks:
  - name: section
    data: {path: data/labelled.csv}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("recipes/x.yaml")
    path.parent.mkdir()
    path.write_text(GOOD)
    return path


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    assert str(caught.value).splitlines() == caught.value.problems
    assert caught.value.exit_code == 2
    return caught.value.problems


def test_a_good_recipe(recipe: Path) -> None:
    loaded = load_recipe(recipe)
    assert loaded.corpus is not None
    assert loaded.corpus.cleaning.languages == ("no", "en")
    assert loaded.pretraining.learning_rate == 0.001
    assert loaded.tasks[0].data.path == "data/labelled.csv"
    assert loaded.release == Recipe.model_fields["release"].default


def test_overrides_are_part_of_the_recipe(recipe: Path) -> None:
    loaded = load_recipe(
        recipe, ["tasks.section.finetuning.learning_rate=1e-4", "pretraining.max_steps=60", "model.size=base"]
    )
    assert loaded.tasks[0].finetuning.learning_rate == 0.0001
    assert (loaded.pretraining.max_steps, loaded.model.size) == (60, "base")


def test_the_near_miss_of_the_manual(recipe: Path) -> None:
    recipe.write_text(GOOD.replace("learning_rate", "learning_rte"))
    assert problems(recipe) == ["recipes/x.yaml:8: pretraining.learning_rte: unknown key; did you mean learning_rate?"]


def test_everything_is_told_at_once_in_the_order_of_the_lines(recipe: Path) -> None:
    recipe.write_text(
        "name: my recipe\nsede: 1\ncorpus:\n  sources: data/x.jsonl\n  cleaning: {min_words: 9, max_words: 3}\n"
        "tokenizer: {kind: bpe, kind: wordpiece}\npretraining:\n  max_steps: 0\n  learning_rate: .inf\n"
        "tasks:\n  - metric: f1\n    data: {path: a, train: b}\n"
    )
    found = problems(recipe, "release.alhpa=1", "release.alpha=0.7")
    assert [line.split(": ")[:2] for line in found] == [
        ["recipes/x.yaml:1", "name"],
        ["recipes/x.yaml:2", "sede"],
        ["recipes/x.yaml:4", "corpus.sources"],
        ["recipes/x.yaml:5", "corpus.cleaning"],
        ["recipes/x.yaml:6", "tokenizer.kind"],
        ["recipes/x.yaml:8", "pretraining.max_steps"],
        ["recipes/x.yaml:9", "pretraining.learning_rate"],
        ["recipes/x.yaml:11", "tasks.0.name"],
        ["recipes/x.yaml:11", "tasks.0.metric"],
        ["recipes/x.yaml:12", "tasks.0.data"],
        ["--set release.alhpa=1", "release.alhpa"],
        ["--set release.alpha=0.7", "release.alpha"],
    ]


def test_values_at_odds_name_the_override_among_them(recipe: Path) -> None:
    expected = "--set pretraining.max_steps=20: pretraining: warmup_steps 20 must be below max_steps 20"
    assert problems(recipe, "seed=1", "pretraining.max_steps=20") == [expected]


@pytest.mark.parametrize("key", ["max_steps", "global_batch_size", "learning_rate", "eval_every_n_steps"])
@pytest.mark.parametrize(
    "value", ["0", "-1", ".nan", ".inf", "1e999", "9" * 5000, "many", "true", "null", "[1]", "'1'"]
)
def test_numbers_that_cannot_be(recipe: Path, key: str, value: str) -> None:
    (found,) = problems(recipe, f"pretraining.{key}={value}")
    assert f": pretraining.{key}: expected " in found
    assert len(found) < 600


def test_nothing_is_expanded(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "do-not-print")
    hostile = "${oc.env:CANARY} ${CANARY} $CANARY $(id) {{ 7*7 }} ~"
    recipe.write_text(GOOD.replace("data/labelled.csv", f"'{hostile}'"))
    assert load_recipe(recipe).tasks[0].data.path == hostile
    recipe.write_text(GOOD.replace("sections", f"'{hostile}'"))
    (found,) = problems(recipe)
    assert "${CANARY}" in found
    assert "do-not-print" not in found


def test_an_alias_bomb_is_refused(recipe: Path) -> None:
    recipe.write_text("a: &a [x, x]\nb: &b [*a, *a]\nname: &c [*b, *c]\n")
    found = problems(recipe)
    assert "recipes/x.yaml:1: a: anchors (`&a`) are refused; quote a text that starts with &" in found
    assert any(line.startswith("recipes/x.yaml:3: name.1: aliases (`*c`) are refused") for line in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a mapping that begins like `name: reviews`; got nothing"),
        ("- name: x", "got a list of 1"),
        ("just text", 'got "just text"'),
        ("name: x\n---\nname: y", "a second document starts here"),
        ("name: x", "give a `corpus` to pre-train on, or `model.from` with a base model to start from"),
        ("name: x\nmodel: {from: b}", "there is nothing to do"),
        ("name: x\ncorpus: {sources: [", "not valid YAML"),
    ],
)
def test_files_that_are_no_recipe(recipe: Path, text: str, expected: str) -> None:
    recipe.write_text(text)
    (found,) = problems(recipe)
    assert found.startswith("recipes/x.yaml:")
    assert expected in found


def test_terminal_escapes_do_not_reach_the_message(recipe: Path) -> None:
    recipe.write_text('name: "\\e[2J\\u202e"\n"k\\e]0;x": 1\nmodel: {size: "\\x9b31m"}\n')
    assert all(line.isprintable() for line in problems(recipe))


def test_many_problems_are_cut(recipe: Path) -> None:
    recipe.write_text(GOOD + "".join(f"key{i}: 1\n" for i in range(2000)))
    found = problems(recipe)
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == "recipes/x.yaml: and more problems; mend these first"


def test_bytes_that_are_not_utf8(recipe: Path) -> None:
    recipe.write_bytes(b"name: x\n# caf\xe9\n")
    assert problems(recipe) == ["recipes/x.yaml:2: byte 13 (0xe9) is not UTF-8; save the file as UTF-8"]


def test_a_byte_order_mark_and_windows_lines_are_fine(recipe: Path) -> None:
    recipe.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_recipe(recipe).name == "sections"


def test_a_missing_file_names_its_neighbours(recipe: Path) -> None:
    recipe.with_name("reviews.yaml").touch()
    with pytest.raises(InputError) as caught:
        load_recipe(recipe.with_name("review.yaml"))
    assert str(caught.value) == (
        "recipe recipes/review.yaml does not exist; recipes holds reviews.yaml, x.yaml; did you mean reviews.yaml?"
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("recipes", "recipes is not a file"),
        ("nowhere/x.yaml", "does not exist; nowhere holds no *.yaml"),
        ("recipes/x.yaml/y.yaml", "does not exist"),
        ("recipes/\0.yaml", "recipes/\\x00.yaml does not exist"),
        ("a" * 300, "cannot be read: File name too long"),
        (os.devnull, "is not a file"),
    ],
)
def test_what_cannot_be_read(recipe: Path, path: str, expected: str) -> None:
    with pytest.raises(InputError, match="recipe") as caught:
        load_recipe(Path(path))
    assert expected in str(caught.value)
    assert not isinstance(caught.value, RecipeError)


def test_a_data_file_given_as_recipe_is_refused_by_its_size(recipe: Path) -> None:
    recipe.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(InputError, match="larger than 1048576 bytes"):
        load_recipe(recipe)


def test_an_absolute_path_is_shown_from_here(recipe: Path) -> None:
    recipe.write_text("nam: x")
    assert problems(recipe.absolute()) == problems(recipe)


def test_the_schema_is_for_people_and_editors() -> None:
    schema = recipe_schema()
    assert schema["title"] == "lmforge recipe"
    assert schema["description"]
    assert set(schema["$defs"]["Model"]["properties"]) == {"architecture", "size", "from"}
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False


def test_importing_the_loader_does_not_load_the_parser() -> None:
    code = "import sys, lmforge.recipe; print([m for m in ('ruamel.yaml', 'torch', 'prefect') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


WORDS = [
    "name",
    "x",
    "corpus",
    "sources",
    "path",
    "tasks",
    "seed",
    "1",
    "data",
    "no",
    "é",
    "\x85",
    "\t",
    "'",
    '"',
    "\\",
]
MARKS = [
    ": ",
    ":",
    "\n",
    "\n  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a",
    "*a",
    "!!",
    "<<",
    "|",
    ">",
    "#",
    "---\n",
    "%",
    "? ",
]


@settings(deadline=None)
@given(st.text() | st.lists(st.sampled_from(WORDS + MARKS)).map("".join) | st.binary())
def test_any_text_loads_or_says_why_not(content: str | bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            assert load_recipe(path).name
        except RecipeError as error:
            assert error.problems
            assert all("x.yaml:" in problem and problem.isprintable() for problem in error.problems)


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec=None)))
def test_any_override_loads_or_says_why_not(override: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.yaml"
        path.write_text(GOOD)
        with pytest.raises(RecipeError, match="--set"):
            load_recipe(path, [override])
