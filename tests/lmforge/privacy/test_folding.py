"""Folding: digits and signs become ASCII, invisible characters go, and places still lead back to the original."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.privacy.folding import fold, fold_odd


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("٠١٢٣", "0123"),
        ("０３－３５８１", "03-3581"),
        ("jo＠example．com", "jo@example.com"),
        ("030\u00a0901–820", "030 901-820"),
        ("4\u200b1\u00ad5", "415"),
        ("line\nbreak\ttab", "line\nbreak\ttab"),
    ],
)
def test_is_read_as_ascii(text: str, folded: str) -> None:
    assert fold(text).text == folded


def test_places_lead_back() -> None:
    text = "a\u200b\u200bbc\u00ad d"
    folded = fold(text)
    assert folded.text == "abc d"
    assert text[slice(*folded.span(1, 3))] == "bc"
    assert text[slice(*folded.span(0, 2))] == "a\u200b\u200bb"


def test_only_odd_texts_change_and_the_input_stays() -> None:
    texts = pl.Series(["plain 123", "٣٤", None, "naïve café", "1\u200b2"])
    assert fold_odd(texts).to_list() == ["plain 123", "34", None, "naïve café", "12"]
    assert texts[1] == "٣٤"


@given(st.text())
def test_every_place_is_a_character_of_the_original(text: str) -> None:
    folded = fold(text)
    for place in range(len(folded.text)):
        start, end = folded.span(place, place + 1)
        assert end == start + 1
        assert fold(text[start:end]).text == folded.text[place]
