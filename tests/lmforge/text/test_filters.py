"""Filters: one reason a document, the first one counts, and order makes the reasons true."""

from __future__ import annotations

import pytest

from lmforge.errors import InputError
from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.text.filters import Document, corpus_filters, first_reason, shape_filters
from lmforge.text.normalizing import text_key

ENGLISH = "The quick brown fox jumps over the lazy dog near the river bank."
GERMAN = "Der schnelle braune Fuchs springt über den faulen Hund am Ufer des Flusses."


def _reasons(texts: list[str], cleaning: Cleaning, exact: bool = True, keys: frozenset[str] = frozenset()) -> list:
    filters = corpus_filters(cleaning, Deduplication(exact=exact), keys, frozenset({"held-out"}))
    return [first_reason(Document(str(n), text), filters) for n, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "empty"), ("one two", "too_short"), ("a b c", None), ("a b c d e", None), ("a b c d e f", "too_long")],
)
def test_length_counts_words(text: str, reason: str | None) -> None:
    assert _reasons([text], Cleaning(min_words=3, max_words=5)) == [reason]


def test_other_languages_go_and_undetermined_texts_stay() -> None:
    cleaning = Cleaning(languages=("en",), min_words=1)
    assert _reasons([ENGLISH, GERMAN, "Guten Tag"], cleaning) == [None, "other_language", None]


def test_the_language_is_left_on_the_document() -> None:
    document = Document("1", GERMAN)
    assert document.language == "und"
    assert first_reason(document, shape_filters(1, 99, Cleaning(languages=("de", "en")))) is None
    assert document.language == "de"


def test_no_languages_asked_for_means_none_identified() -> None:
    document = Document("1", GERMAN)
    assert first_reason(document, shape_filters(1, 99, Cleaning())) is None
    assert document.language == "und"


def test_unknown_languages_stop_at_once() -> None:
    with pytest.raises(InputError, match="unknown klingon"):
        shape_filters(1, 99, Cleaning(languages=("klingon",)))


def test_the_second_of_two_equal_texts_is_the_duplicate() -> None:
    texts = [ENGLISH, ENGLISH.upper(), ENGLISH + " Indeed."]
    assert _reasons(texts, Cleaning()) == [None, "duplicate", None]
    assert _reasons(texts, Cleaning(), exact=False) == [None, None, None]


def test_a_rejected_text_makes_no_later_one_a_duplicate() -> None:
    assert _reasons([GERMAN, GERMAN], Cleaning(languages=("en",))) == ["other_language", "other_language"]


def test_evaluation_texts_and_ids_are_kept_out() -> None:
    keys = frozenset({text_key(ENGLISH)})
    assert _reasons([ENGLISH.lower(), GERMAN], Cleaning(), keys=keys) == ["in_evaluation_set", None]
    filters = corpus_filters(Cleaning(), Deduplication(), frozenset(), frozenset({"held-out"}))
    assert first_reason(Document("held-out", GERMAN), filters) == "in_evaluation_set"
    assert first_reason(Document("other", GERMAN), filters) is None
