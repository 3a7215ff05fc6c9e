"""Gopher's quality rules: a text on either side of each published threshold."""

from __future__ import annotations

import polars as pl
import pytest

from lmforge.recipe.quality import Gopher
from lmforge.text.quality_gopher import gopher_reasons

PLAIN = "the people of this town have seen " * 10


def _reason(text: str, language: str | None = None, **limits: object) -> str | None:
    languages = None if language is None else pl.Series([language])
    return gopher_reasons(pl.Series([text]), Gopher(**limits), languages)[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PLAIN, None),
        ("", "gopher_too_few_words"),
        ("word the of " * 16 + "end", "gopher_too_few_words"),
        ("the of " + "word " * 48, None),
        ("the of " + "word " * 99_998, None),
        ("the of " + "word " * 99_999, "gopher_too_many_words"),
        ("the of " + "ab " * 60, "gopher_short_words"),
        ("the of " + "abcdefghijkl " * 60, "gopher_long_words"),
        ("the of " + "word " * 98 + "#" * 10, None),
        (("the of " + "word " * 98 + "#" * 11).strip(), "gopher_hashes"),
        ("the of " + "word... " * 10 + "word " * 88, None),
        ("the of " + "word... " * 11 + "word " * 88, "gopher_ellipses"),
        ("the of " + "word\u2026 " * 11 + "word " * 88, "gopher_ellipses"),
        ("- the of some words\n" * 18 + "the of some words\n" * 2, None),
        ("- the of some words\n" * 19 + "the of some words\n", "gopher_bullet_lines"),
        (" \u2022 the of some words\n" * 20, "gopher_bullet_lines"),
        ("the of some words and other words so on.\n" * 7 + "the of some words and other words so on...\n" * 3, None),
        ("the of some words and other words so on.\n" * 6 + "the of some words and other so on... \n\n" * 4,
         "gopher_ellipsis_lines"),
        ("the of " + "word " * 78 + "1234 " * 20, None),
        ("the of " + "word " * 77 + "1234 " * 21, "gopher_few_alphabetic_words"),
        ("word " * 60, "gopher_few_stop_words"),
        ("the the the " + "word " * 60, "gopher_few_stop_words"),
        ("other bettor offline " + "word " * 60, "gopher_few_stop_words"),
        ("The, (OF) " + "word " * 60, None),
    ],
)  # fmt: skip
def test_each_threshold(text: str, reason: str | None) -> None:
    assert _reason(text) == reason


def test_stop_words_are_asked_only_in_their_language() -> None:
    german = "wort " * 60
    assert _reason(german, "en") == "gopher_few_stop_words"
    assert _reason(german, "de") is None
    assert _reason(german, "und") is None
    lists = {"de": ("der", "und"), "fr": ("l'eau", "où")}
    assert _reason(german, "de", stop_words=lists) == "gopher_few_stop_words"
    assert _reason(german + "der und", "de", stop_words=lists) is None
    assert _reason(german + "Où est l'eau", "fr", stop_words=lists) is None


def test_no_stop_words_wanted() -> None:
    assert _reason("word " * 60, min_stop_words=0) is None


def test_nothing_is_asked_of_an_empty_text_when_no_words_are_wanted() -> None:
    assert _reason("", min_words=0, min_stop_words=0) is None
