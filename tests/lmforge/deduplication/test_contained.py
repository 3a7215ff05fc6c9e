"""A text that stands in another one is found, one that shares a phrase with it is not."""

import polars as pl
import pytest

from lmforge.deduplication.contained import contained

TEXT = " ".join(f"word{number}" for number in range(120))
QUOTED = f"somebody wrote yesterday: {TEXT} and everybody agreed at once, which is rare enough"
PHRASE = " ".join(f"word{number}" for number in range(20)) + " and then something else " * 10


def found(text, *collection):
    return contained(pl.Series([text]), pl.Series(collection, dtype=pl.String)).tolist()


@pytest.mark.parametrize(
    "other",
    [
        TEXT,
        TEXT.upper().replace(" ", "\n "),
        TEXT.replace(" ", ", "),
        QUOTED,
        TEXT.replace("word60", "another"),
        "a word more " + TEXT,
    ],
)
def test_copies_and_quotations_are_found(other):
    assert found(TEXT, "something else", other) == [True]


@pytest.mark.parametrize("other", [PHRASE, "", " ".join(reversed(TEXT.split())), " ".join(TEXT.split()[:100])])
def test_what_shares_a_phrase_is_not(other):
    assert found(TEXT, other) == [False]


def test_a_short_text_has_to_be_the_whole_of_another():
    assert found("Good game!", "good  game") == [True]
    assert found("Good game!", "it was a good game") == [False]


def test_texts_without_words_and_empty_collections():
    assert found("!!!", "!!!", "???") == [False]
    assert found(TEXT) == [False]
    assert contained(pl.Series([], dtype=pl.String), pl.Series([TEXT])).tolist() == []


def test_a_row_for_each_text():
    texts = pl.Series(["nothing of it", TEXT, "", "still nothing of all that stands in the other text"])
    assert contained(texts, pl.Series([QUOTED])).tolist() == [False, True, False, False]
