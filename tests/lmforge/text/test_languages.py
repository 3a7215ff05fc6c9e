"""Language identification: right for clear text, undetermined for short text, and codes checked."""

from __future__ import annotations

import gzip
import json
import random
from itertools import islice
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.text.languages import LEADING_CHARS, check_languages, identify, identify_languages

TEXTS = {
    "en": "The committee will publish its report on the state of the roads next week.",
    "de": "Der Ausschuss wird seinen Bericht über den Zustand der Straßen nächste Woche vorlegen.",
    "fr": "La commission publiera la semaine prochaine son rapport sur l'état des routes.",
    "ru": "Комиссия опубликует свой доклад о состоянии дорог на следующей неделе.",
}


@pytest.mark.parametrize(("language", "text"), TEXTS.items(), ids=TEXTS)
def test_clear_text_is_identified(language: str, text: str) -> None:
    assert identify(text, 0.5) == language


@pytest.mark.parametrize("text", ["", "Hello", "Guten Tag, Welt"])
def test_short_text_is_undetermined(text: str) -> None:
    assert identify(text, 0.0) == "und"


def test_a_probability_below_the_threshold_is_undetermined() -> None:
    assert identify("x1 y2 z3 q4 w5 e6 r7 t8", 0.999) == "und"


def test_only_the_start_decides() -> None:
    start = (TEXTS["en"] + " ") * 3
    assert len(start) > LEADING_CHARS
    assert identify(start + TEXTS["ru"] * 20, 0.5) == "en"


def test_unknown_codes_are_named_together() -> None:
    check_languages(["en", "de"])
    with pytest.raises(InputError, match=r"unknown english, xx; write codes of ace, af, .*\bzu\b"):
        check_languages(["english", "en", "xx"])


@pytest.mark.parametrize("min_probability", [0.0, 0.5, 0.9, 0.999, 1.0])
def test_a_column_of_real_text_is_identified_like_each_of_its_texts(min_probability: float) -> None:
    path = Path(__file__).parents[3] / "examples/data/debian_descriptions.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        # One in fifty of the first 15,000: the model reads some hundred texts a second one by one on a busy machine.
        texts = [json.loads(line)["description"] for line in islice(lines, 0, 15_000, 50)]
    texts += [*TEXTS.values(), *(text.upper() for text in TEXTS.values())]
    expected = [identify(text, min_probability) for text in texts]
    assert identify_languages(pl.Series(texts), min_probability).to_list() == expected


WORDS = st.sampled_from(
    ["The ", "DER ", "état ", "\u0301", "РОССИЯ ", "дорог ", "日本", "ज़", "123 ", "\x00", " ", "ÉÀ"]
)


@settings(deadline=None)
@given(
    st.lists(st.lists(WORDS, max_size=40).map("".join) | st.text(st.characters(exclude_categories=("Cs",))), max_size=5)
)
def test_a_column_is_identified_like_each_of_its_texts(texts: list[str]) -> None:
    expected = [identify(text, 0.5) for text in texts]
    assert identify_languages(pl.Series(texts, dtype=pl.String), 0.5).to_list() == expected


def test_the_answers_do_not_depend_on_the_neighbours() -> None:
    draw = random.Random(0)
    texts = ["".join(draw.choice("aeiou nrst éø шя") for _ in range(60)) for _ in range(3000)]
    alone = [identify_languages(pl.Series([text]), 0.3)[0] for text in texts[:40]]
    # More than a batch, of which the last has a single text.
    together = identify_languages(pl.Series([*texts[:40], *texts * 2]), 0.3).to_list()
    assert together[:40] == alone
    assert together[40:3040] == together[3040:]


def test_a_column_keeps_its_name_order_and_nulls() -> None:
    found = identify_languages(pl.Series("text", [TEXTS["fr"], None, "", TEXTS["de"], TEXTS["fr"]]), 0.5)
    assert found.to_list() == ["fr", None, "und", "de", "fr"]
    assert found.name == "text"
    assert identify_languages(pl.Series([], dtype=pl.String), 0.5).to_list() == []
