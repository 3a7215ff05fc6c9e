"""Values that know where they were written."""

from __future__ import annotations

import pytest

from lmforge.recipe.nodes import Node, Place, Problem


@pytest.fixture
def tree() -> Node:
    leaf = Node(Place("r.yaml", 3), 1, source="0x1")
    items = Node(Place("r.yaml", 2), [leaf, Node(Place("--set a.1=x"), "x", source="x")])
    return Node(Place("r.yaml", 1), {"a": items, "b": Node(Place("r.yaml", 4))})


def test_plain_drops_the_places(tree: Node) -> None:
    assert tree.plain() == {"a": [1, "x"], "b": None}


def test_child_goes_by_key_or_index_only_where_there_is_one(tree: Node) -> None:
    items = tree.child("a")
    assert items is not None
    assert items.child(1) == Node(Place("--set a.1=x"), "x", source="x")
    assert [items.child(step) for step in (2, -1, "a")] == [None, None, None]
    assert [tree.child(step) for step in ("c", 0)] == [None, None]


def test_written_visits_everything_below(tree: Node) -> None:
    assert [place.line for place in tree.written()] == [1, 2, 3, None, 4]


def test_values_are_shown_as_written() -> None:
    place = Place("r.yaml", 1)
    nodes = [
        Node(place, 1, source="0x1"),
        Node(place, "1\x1b", source="1"),
        Node(place),
        Node(place, {}),
        Node(place, [Node(place)]),
    ]
    assert [node.shown() for node in nodes] == ["0x1", '"1\\x1b"', "nothing", "an empty mapping", "a list of 1"]


def test_problems_sort_by_line_and_overrides_come_last() -> None:
    problems = [
        Problem(Place("--set b=1"), "b", "x"),
        Problem(Place("r", 10), "", "y"),
        Problem(Place("r", 9), "k", "z"),
    ]
    assert [str(p) for p in sorted(problems, key=Problem.order)] == ["r:9: k: z", "r:10: y", "--set b=1: b: x"]
