"""A profile says what a table holds, in few bytes and the same ones for the same rows."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.errors import IntegrityError
from lmforge.text.profiling import profile, read_profile, write_profile

TEXTS = ["", "one", "two words", "three more words", "The the THE the", "<EMAIL> and <EMAIL> or <IBAN>", "one", None]


def test_lengths_words_and_mixes_are_counted():
    frame = pl.LazyFrame({"text": TEXTS, "label": ["a", "b", None, "a", "a", "b", "a", "a"], "source": "f"})
    described = profile(frame)
    assert described["num_documents"] == 8
    assert described["num_words"] == sum(len((text or "").split()) for text in TEXTS)
    assert described["num_characters"] == sum(len(text or "") for text in TEXTS)
    # No word, 1, 2 to 3, 4 to 7.
    assert described["words_histogram"][:5] == [2, 2, 2, 2, 0]
    assert described["duplicate_share"] == pytest.approx(1 / 8)
    assert described["personal_data"] == {"<EMAIL>": 2, "<IBAN>": 1}
    assert described["labels"] == {"counts": {"a": 5, "b": 2}, "other": 0, "missing": 1}
    assert described["sources"]["counts"] == {"f": 8}
    assert "languages" not in described


def test_given_numbers_of_words_are_used():
    described = profile(pl.LazyFrame({"text": ["a b"], "num_words": [1 << 30], "num_chars": [7]}))
    assert (described["num_words"], described["num_characters"]) == (1 << 30, 7)
    assert described["words_histogram"] == [0] * 24 + [1]


def test_frequent_words_are_those_of_several_texts_in_lower_case():
    texts = ["The secret canary", "the cat", "THE cat", "the cat sat", "café café"]
    words = profile(pl.LazyFrame({"text": texts}))["frequent_words"]
    assert words == {"num_words": 12, "top": {"the": 4, "cat": 3}}


def test_repetition_is_one_word_again_and_again():
    spam, prose = "buy " * 30, " ".join(f"word{n}" for n in range(30))
    described = profile(pl.LazyFrame({"text": [spam, prose, prose, prose, "buy buy"]}))
    assert described["repetitive_share"] == 0.25


def test_long_texts_and_names_are_cut():
    described = profile(pl.LazyFrame({"text": ["x" * 10_000] * 3, "source": ["s" * 10_000] * 3}))
    assert list(described["frequent_words"]["top"]) == ["x" * 64]
    assert list(described["sources"]["counts"]) == ["s" * 64]
    assert described["num_characters"] == 30_000


def test_many_names_are_kept_as_one_number():
    names = [f"n{number:04}" for number in range(1_200)] + ["n1199"]
    described = profile(pl.LazyFrame({"source": names}))
    assert described["num_documents"] == 1_201
    assert described["sources"]["other"] == 200
    assert described["sources"]["counts"]["n1199"] == 2
    assert "words_histogram" not in described


def test_words_of_a_large_table_are_those_of_a_sample():
    described = profile(pl.LazyFrame({"text": ["same words"] * 45_000}))
    assert described["frequent_words"]["num_words"] == 2 * 15_000
    assert described["num_words"] == 90_000


@given(st.lists(st.one_of(st.none(), st.text(max_size=40)), max_size=30))
def test_any_table_has_a_profile_that_json_holds(texts):
    described = profile(pl.LazyFrame({"text": pl.Series(texts, dtype=pl.String)}))
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert sum(described["words_histogram"]) == described["num_documents"] == len(texts)


def test_bytes_do_not_depend_on_how_rows_lie_in_files(tmp_path):
    frame = pl.DataFrame(
        {"text": [f"text {n % 7} about {n}" for n in range(1_000)], "label": [str(n % 9) for n in range(1_000)]}
    )
    for number, part in enumerate(frame.iter_slices(130)):
        part.write_parquet(tmp_path / f"{number}.parquet")
    for name, table in (("one", frame.lazy()), ("two", pl.scan_parquet(tmp_path / "*.parquet"))):
        (tmp_path / name).mkdir()
        write_profile(table, tmp_path / name)
    one, two = ((tmp_path / name / "profile.json").read_bytes() for name in ("one", "two"))
    assert one == two
    assert read_profile(tmp_path / "one") == profile(frame.lazy())


def test_a_profile_that_is_missing_or_damaged_is_told_apart(tmp_path):
    assert read_profile(tmp_path) is None
    (tmp_path / "profile.json").write_text("{", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"profile\.json is no JSON"):
        read_profile(tmp_path)
