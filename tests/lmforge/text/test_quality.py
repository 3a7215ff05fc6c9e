"""Quality filters: the same decisions as one document at a time, in the order of the recipe, on any text."""

from __future__ import annotations

import gzip
import json
from functools import cache

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.recipe.quality import Quality
from lmforge.text.quality import apply_quality, quality_reasons
from tests.lmforge.text.quality_reference import reason

ALL = ("c4", "gopher", "gopher_repetition", "fineweb")
# Small limits, so that short texts reach every rule.
LOOSE = {
    "c4": {"min_words_per_line": 2, "min_sentences": 2, "max_word_chars": 9},
    "gopher": {"min_words": 3, "max_words": 12, "min_mean_word_chars": 2, "max_mean_word_chars": 5},
    "gopher_repetition": {"max_duplicate_line_share": 0.5, "max_top_2_gram_char_share": 0.3},
    "fineweb": {"short_line_chars": 4, "max_line_breaks_per_word": 0.6, "max_duplicate_line_char_share": 0.1},
}
PIECES = [
    *(
        "the",
        "And",
        "have",
        "word",
        "a",
        "Zug",
        "x1",
        "é",
        "\u0661",
        "longer-than-ten",
        "...",
        "\u2026",
        "#",
        "-",
        "\u2022",
    ),
    *(".", "!", "?", '."', "\u201d", "\u3002", "{", "[1]", "[edit]", "JavaScript", "Lorem ipsum", "use cookies", "."),
    *(" ", " ", " ", " ", "\n", "\n", "\n\n", "  ", "\t", "\r", "\u3000", "\x85", "\xa0", "\u2028", "\n \n"),
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
ANY = st.text(st.characters(exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\x1e"), max_size=60)


@cache
def example_texts() -> tuple[str, ...]:
    with gzip.open("examples/data/debian_descriptions.jsonl.gz", "rt", encoding="utf-8") as file:
        return tuple(json.loads(line)["description"] for line, _ in zip(file, range(3000), strict=False))


def _one_by_one(texts: list[str], quality: Quality, languages: list[str] | None = None) -> list[str | None]:
    limits = quality.model_dump(mode="json")
    return [
        reason(text, limits, language) for text, language in zip(texts, languages or ["en"] * len(texts), strict=True)
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXT, max_size=8), st.permutations(ALL), st.integers(0, 4))
def test_decisions_equal_those_of_one_document_at_a_time(texts: list[str], order: list[str], number: int) -> None:
    quality = Quality(filters=tuple(order[:number]), **LOOSE)
    assert quality_reasons(pl.Series(texts, dtype=pl.String), quality).to_list() == _one_by_one(texts, quality)


@settings(max_examples=100, deadline=None)
@given(st.lists(ANY, max_size=6), st.sampled_from(["c4", "gopher", "gopher_repetition"]))
def test_any_text_is_decided_alike(texts: list[str], name: str) -> None:
    quality = Quality(filters=(name,), **LOOSE)
    assert quality_reasons(pl.Series(texts, dtype=pl.String), quality).to_list() == _one_by_one(texts, quality)


@pytest.mark.parametrize("filters", [("c4",), ("gopher",), ("gopher_repetition",), ("fineweb",), ALL])
def test_real_text_is_decided_alike(filters: tuple[str, ...]) -> None:
    quality = Quality(filters=filters, gopher={"min_words": 20})
    texts = list(example_texts())
    found = quality_reasons(pl.Series(texts), quality).to_list()
    assert found == _one_by_one(texts, quality)
    assert 0 < found.count(None) < len(texts)


def test_no_filters_keep_all() -> None:
    texts = pl.Series("text", ["", "{", "a"])
    edited, reasons = apply_quality(texts, Quality())
    assert edited.equals(texts) and reasons.null_count() == 3


def test_no_texts_give_none() -> None:
    edited, reasons = apply_quality(pl.Series("text", [], dtype=pl.String), Quality(filters=ALL))
    assert (len(edited), len(reasons), reasons.dtype) == (0, 0, pl.String)


def test_the_first_broken_filter_names_the_reason() -> None:
    texts = pl.Series(["short {"])
    assert quality_reasons(texts, Quality(filters=("gopher", "c4"))).to_list() == ["gopher_too_few_words"]
    assert quality_reasons(texts, Quality(filters=("c4", "gopher"))).to_list() == ["c4_no_lines"]


def test_a_filter_sees_what_c4_left() -> None:
    text = "This is a sentence of seven words.\n" * 3 + "menu\n" * 20
    limits = {"gopher_repetition": {"max_top_2_gram_char_share": 1, "max_top_3_gram_char_share": 1}}
    short = Quality(filters=("c4", "fineweb"), fineweb={"max_duplicate_line_char_share": 1}, **limits)
    assert quality_reasons(pl.Series([text]), short).to_list() == [None]
    other = short.model_copy(update={"filters": ("fineweb", "c4")})
    assert quality_reasons(pl.Series([text]), other).to_list() == ["fineweb_short_lines"]


def test_kept_texts_are_edited_and_rejected_ones_stay() -> None:
    good = "One sentence of five words. Another one. And a third.\nmenu"
    texts = pl.Series("body", [good, "menu only"])
    edited, reasons = apply_quality(texts, Quality(filters=("c4",)))
    assert edited.to_list() == ["One sentence of five words. Another one. And a third.", "menu only"]
    assert reasons.to_list() == [None, "c4_no_lines"]
    assert texts.to_list() == [good, "menu only"] and edited.name == "body"


def test_results_do_not_depend_on_the_neighbours() -> None:
    quality = Quality(filters=ALL, **LOOSE)
    texts = [" ".join(PIECES[start:] + PIECES[:start]) for start in range(len(PIECES))]
    together = quality_reasons(pl.Series(texts), quality).to_list()
    assert together == [quality_reasons(pl.Series([text]), quality)[0] for text in texts]
