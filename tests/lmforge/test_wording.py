"""Quoting and nearest names in messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lmforge.wording import SHOWN_CHARACTERS, cell, listed, nearest, shown


@given(st.text(st.characters(codec=None)))
def test_shown_text_is_printable_and_can_be_encoded(text: str) -> None:
    result = shown(text)
    assert result.isprintable()
    assert result.encode("utf-8").decode() == result


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=SHOWN_CHARACTERS))
def test_harmless_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_shown_neutralises_the_terminal_and_cuts() -> None:
    assert shown("\x1b[31mred\u202e") == "\\x1b[31mred\\u202e"
    assert shown("a" * 1_000_000) == "a" * SHOWN_CHARACTERS + "..."


def test_nearest_ignores_case_and_gives_the_known_spelling() -> None:
    assert nearest("Learning_rte", ["max_steps", "learning_rate"]) == "learning_rate"
    assert nearest("NAME", ["name"]) == "name"
    assert nearest("zzz", ["name"]) is None
    assert nearest("name" * 100_000, ["name"]) is None


def test_listed_says_how_many_it_leaves_out() -> None:
    assert listed("abc") == "a, b, c"
    assert listed([f"n{i}" for i in range(5)], limit=2) == "n0, n1 and 3 more"


def test_no_cell_begins_a_formula() -> None:
    for text in ("=cmd()", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        assert cell(text) == f"'{text}"
    for text in ("", "games", "a=b", " =1", "'=1"):
        assert cell(text) == text
