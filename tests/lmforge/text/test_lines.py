"""Pieces of many texts in one table."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lmforge.text.lines import count_spaces, count_words, split_lines, split_paragraphs, split_words

TEXTS = ["a\n\nb\n a", "", " \n", "x", "b\n\n\nb\n\n \n\nb"]


def _rows(frame: pl.DataFrame) -> list[tuple[int, str]]:
    return frame.select("document", "piece").rows()


def test_lines_are_what_stands_between_line_feeds() -> None:
    rows = [(0, "a"), (0, "b"), (0, " a"), (3, "x"), (4, "b"), (4, "b"), (4, "b")]
    assert _rows(split_lines(pl.Series(TEXTS))) == rows


def test_paragraphs_are_cut_at_empty_lines() -> None:
    rows = [(0, "a"), (0, "b\n a"), (3, "x"), (4, "b"), (4, "b"), (4, "b")]
    assert _rows(split_paragraphs(pl.Series(TEXTS))) == rows


def test_words_are_cut_at_any_white_space() -> None:
    assert _rows(split_words(pl.Series([" a\u3000b\xa0c\r\n", "\u2028", "d"]))) == [
        (0, "a"),
        (0, "b"),
        (0, "c"),
        (2, "d"),
    ]


def test_no_texts_have_no_pieces() -> None:
    empty = pl.Series([], dtype=pl.String)
    for split in (split_lines, split_paragraphs, split_words):
        assert len(split(empty)) == 0


@given(st.lists(st.text(st.sampled_from("ab \n\t\u3000\xa0"), max_size=12), max_size=6))
def test_words_and_spaces_are_counted_as_they_are_split(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    assert count_words(column).to_list() == [len(text.split()) for text in texts]
    assert count_spaces(column).to_list() == [sum(map(str.isspace, text)) for text in texts]
