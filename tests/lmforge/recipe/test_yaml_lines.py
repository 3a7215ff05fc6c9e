"""Strict YAML: values, lines and what is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.recipe.nodes import Node, Place
from lmforge.recipe.yaml_lines import MAX_DEPTH, read_yaml


def read(text: str) -> tuple[Node, list[str]]:
    root, problems = read_yaml(text, lambda line: Place("r.yaml", line))
    return root, [str(problem) for problem in problems]


def test_values_and_their_lines() -> None:
    root, problems = read("name: x\n\nlist:\n  # why\n  - 1e-3\n  - {on: no, deep:\n      'true'}\n")
    assert problems == []
    assert root.plain() == {"name": "x", "list": [0.001, {"on": "no", "deep": "true"}]}
    assert [place.line for place in root.written()] == [1, 1, 3, 5, 6, 6, 6]


def test_quoted_scalars_are_text_and_keep_their_source() -> None:
    root, _ = read("a: '1'\nb: 1\nc: |\n  null\n")
    assert root.plain() == {"a": "1", "b": 1, "c": "null\n"}
    assert [child.quoted for child in (root.child("a"), root.child("b")) if child] == [True, False]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_no_text_is_a_null(text: str) -> None:
    assert read(text) == (Node(Place("r.yaml", 1)), [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "r.yaml:3: a: given twice, first in line 1; keep one"),
        ("x: {a: 1, 'a': 2}", "r.yaml:1: x.a: given twice, first in line 1; keep one"),
        ("a: 1\nb: &anchor 2", "r.yaml:2: b: anchors (`&anchor`) are refused"),
        ("a: *other", "r.yaml:1: a: aliases (`*other`) are refused"),
        ("a: [1, *.jsonl]", "quote a text that starts with *"),
        ("&a [*a]", "r.yaml:1: anchors (`&a`) are refused"),
        ("a: 1\n<<: {b: 2}", "r.yaml:2: merge keys (`<<`) are refused; write the keys out"),
        (
            "a: !!python/object/apply:os.system ['id']",
            "r.yaml:1: a: tags (`tag:yaml.org,2002:python/object/apply:os.system`) are",
        ),
        ("a: !!int '1'", "r.yaml:1: a: tags (`tag:yaml.org,2002:int`) are refused"),
        ("a: ! 1", "r.yaml:1: a: tags (`!`) are refused"),
        ("!!str a: 1", "r.yaml:1: a: tags (`tag:yaml.org,2002:str`) are refused"),
        ("? [a, b]\n: 1", "r.yaml:1: a key must be a plain word"),
        ("a: 1\n---\nb: 2", "r.yaml:2: a second document starts here"),
        ("%YAML 1.1\n---\na: no", "directives (`%...`) are refused"),
        ('a: "\\ud800"', "r.yaml:1: a: holds half of a surrogate pair"),
        ('"\\ud800": 1', "holds half of a surrogate pair"),
        ("a:\n\tb: 1", "r.yaml:2: not valid YAML: while scanning for the next token: found character '\\t'"),
        ("a:\n\tb: 1", "indent with spaces, not with tabs"),
        ("a: @b", "put the value in quotes"),
        (
            "a: b: c",
            "r.yaml:1: not valid YAML: mapping values are not allowed here; put a value that holds `: ` in quotes",
        ),
        ("a: 1\nb: [1, 2", "r.yaml:2: not valid YAML: "),
        ("a: 1\nb: \x00", "r.yaml:2: not valid YAML: special characters are not allowed"),
        ('a: "\\U00110000"', "r.yaml:1: not valid YAML: "),
    ],
)
def test_refusals_name_line_key_and_way_out(text: str, expected: str) -> None:
    _, problems = read(text)
    assert any(expected in problem for problem in problems), problems


def test_refused_values_are_marked_so_that_nobody_reports_them_again() -> None:
    root, problems = read("a: &x 1\nb: *x\nc: 3")
    assert len(problems) == 2
    assert [node.broken for key in "abc" if (node := root.child(key))] == [True, True, False]


def test_what_is_not_yaml_has_a_broken_root() -> None:
    root, problems = read("a: [")
    assert root.broken
    assert len(problems) == 1


def test_an_alias_bomb_is_refused_without_being_expanded() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    root, problems = read("\n".join(lines))
    assert len(problems) == 12 + 11 * 9
    assert sum(1 for _ in root.written()) < 200


@pytest.mark.parametrize("text", ["[" * 500_000, "{a: " * 200_000, "- " * 400_000, "? " * 400_000])
def test_deep_nesting_stops_early(text: str) -> None:
    start = time.perf_counter()
    _, problems = read(text)
    assert problems[-1] == f"r.yaml:1: nested more than {MAX_DEPTH} levels deep"
    assert len(problems) <= MAX_DEPTH + 2
    assert time.perf_counter() - start < 5


def test_nesting_up_to_the_limit_is_read() -> None:
    assert read("[" * MAX_DEPTH + "]" * MAX_DEPTH)[1] == []
    assert len(read("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2))[1]) == 1


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(documents)
def test_json_reads_as_itself(document: Any) -> None:
    root, problems = read(json.dumps(document))
    assert problems == []
    assert root.plain() == document


yaml_like = st.lists(
    st.sampled_from(
        [
            *"abc01-:?,[]{}&*!|>'\"%@`#~<. \n\t\\",
            "\n  ",
            ": ",
            "- ",
            "---\n",
            "...\n",
            "<<",
            "!!",
            "\\u",
            "\\U",
            "%YAML",
            "é",
            "\u2028",
        ]
    )
).map("".join)


@settings(deadline=None)
@given(st.text() | yaml_like)
def test_any_text_is_read_or_reported(text: str) -> None:
    root, problems = read(text)
    assert problems or not root.broken
    assert all(problem.startswith("r.yaml:") and problem.isprintable() for problem in problems)
    json.dumps(root.plain()).encode()
