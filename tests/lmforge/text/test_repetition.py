"""Gopher's repetition rules: each limit, screening that loses nothing, and linear time on hostile text."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.recipe.quality import GopherRepetition
from lmforge.text.repetition import repetition_reasons
from tests.lmforge.text.quality_reference import repetition

FILL = [f"w{number:03d}" for number in range(400)]
PIECE_OFF = {f"max_duplicate_{name}{kind}_share": 1 for name in ("line", "paragraph") for kind in ("", "_char")}


def _reason(text: str, **limits: object) -> str | None:
    return repetition_reasons(pl.Series([text]), GopherRepetition(**limits))[0]


def _passage(size: int, copies: int, fill: int) -> str:
    """`copies` of one passage of `size` words, each among words that stand once."""
    words = FILL[:fill]
    for copy in range(copies):
        words[copy * 7 : copy * 7] = [f"p{number:03d}" for number in range(size)]
    return " ".join(words)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", None),
        ("one", None),
        (" ".join(FILL), None),
        ("\n".join(FILL[:90] + [FILL[0] * 9] * 10), "gopher_duplicate_line_chars"),
        ("\n".join([word * 9 for word in FILL[:70]] + ["x"] * 31), None),
        ("\n".join([word * 9 for word in FILL[:70]] + ["x"] * 32), "gopher_duplicate_lines"),
        ("\n\n".join([word * 9 for word in FILL[:70]] + ["x"] * 32), "gopher_duplicate_paragraphs"),
        ("\n\n".join(FILL[:90] + [FILL[0] * 9] * 10), "gopher_duplicate_paragraph_chars"),
        (" ".join(f"{word} of the" for word in FILL[:60]), "gopher_top_2_gram"),
        (_passage(10, 2, 60), None),
        (_passage(12, 3, 60), "gopher_duplicate_5_gram"),
        (_passage(5, 3, 60), None),
    ],
)
def test_each_kind(text: str, reason: str | None) -> None:
    found = _reason(text)
    assert found == reason == repetition(text, GopherRepetition().model_dump())


@pytest.mark.parametrize("size", [2, 3, 4])
def test_each_top_ngram_has_its_limit(size: int) -> None:
    others = {f"max_top_{other}_gram_char_share": 1 for other in (2, 3, 4) if other != size}
    text = " ".join(" ".join([word, *["aaaa", "bbbb", "cccc", "dddd"][:size]]) for word in FILL[:50])
    assert _reason(text, **others) == f"gopher_top_{size}_gram"
    assert _reason(text, **others, **{f"max_top_{size}_gram_char_share": 1}, **_duplicates_off()) is None


@pytest.mark.parametrize("size", range(5, 11))
def test_each_duplicate_ngram_has_its_limit(size: int) -> None:
    text = _passage(size, 4, 80)
    limit = {f"max_duplicate_{size}_gram_char_share": 0.05}
    assert _reason(text, **{**_duplicates_off(), **limit}) == f"gopher_duplicate_{size}_gram"
    assert _reason(text, **_duplicates_off()) is None


def _duplicates_off() -> dict[str, float]:
    return {f"max_duplicate_{size}_gram_char_share": 1 for size in range(5, 11)}


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("ab\n ", max_size=80), max_size=5),
    st.sampled_from([0.02, 0.1, 0.3, 0.6]),
)
def test_screening_loses_nothing(texts: list[str], limit: float) -> None:
    names = [name for name in GopherRepetition.model_fields if "gram" in name]
    limits = GopherRepetition(**PIECE_OFF, **dict.fromkeys(names, limit))
    expected = [repetition(text, limits.model_dump()) for text in texts]
    assert repetition_reasons(pl.Series(texts, dtype=pl.String), limits).to_list() == expected


def test_words_of_any_length_are_counted() -> None:
    text = " ".join(["x" * 5000, "y" * 5000] * 2 + FILL)
    assert _reason(text) == repetition(text, GopherRepetition().model_dump()) == "gopher_top_2_gram"


def test_many_texts_are_decided_as_each_alone() -> None:
    texts = [_passage(size, copies, 60) for size in (4, 8, 12) for copies in (1, 2, 3)] * 50
    together = repetition_reasons(pl.Series(texts), GopherRepetition()).to_list()
    assert together == [_reason(text) for text in texts[:9]] * 50


@pytest.mark.parametrize(
    "text",
    ["word " * 1_000_000, "a line\n" * 1_000_000, "a\n\n" * 500_000, "x" * 5_000_000, " " * 5_000_000, "(" * 1_000_000],
    ids=["words", "lines", "paragraphs", "one word", "blank", "brackets"],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    started = time.process_time()
    reason = _reason(text)
    assert time.process_time() - started < 10
    assert reason in (None, "gopher_top_2_gram", "gopher_duplicate_lines", "gopher_duplicate_paragraphs")
