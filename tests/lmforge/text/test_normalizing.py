"""Keys and buckets: what counts as the same text, and that draws are uniform, stable and independent."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from lmforge.text.normalizing import bucket, key_normalized, normalized_texts, text_key, text_keys


@pytest.mark.parametrize(
    "other",
    ["  Straße   ﬁn\n", "STRASSE FIN", "strasse\tﬁn", "Ｓｔｒａｓｓｅ fin"],
)
def test_texts_that_look_alike_share_a_key(other: str) -> None:
    assert text_key(other) == text_key("Strasse fin")


@pytest.mark.parametrize("other", ["strasse fins", "strassefin", "strasse-fin", ""])
def test_other_words_have_another_key(other: str) -> None:
    assert text_key(other) != text_key("Strasse fin")


def test_a_key_is_the_xxh3_of_the_folded_text_and_never_changes() -> None:
    assert text_key(" Hello\n World ") == xxhash.xxh3_128_hexdigest(b"hello world")
    # Keys are kept between runs, so another version of the library may not give others.
    assert text_key("hello world") == "df8d09e93f874900a99b8775cc15b6c7"


def _hex(keys: np.ndarray) -> list[str]:
    return [f"{int(high):016x}{int(low):016x}" for high, low in keys]


WRITABLE = st.text(st.characters(exclude_categories=("Cs",)))
SPACED = st.lists(st.sampled_from([*"aBß \t\n\v\x1c\x1f\x85\xa0\u3000ﬁéİΣς"]), max_size=9).map("".join)


@given(st.lists(WRITABLE | SPACED, max_size=8))
def test_the_keys_of_a_column_are_those_of_its_texts(texts: list[str]) -> None:
    keys = text_keys(pl.Series(texts, dtype=pl.String))
    assert keys.dtype == np.uint64 and keys.shape == (len(texts), 2)
    assert _hex(keys) == [text_key(text) for text in texts]


@given(st.lists(WRITABLE | SPACED, max_size=8))
def test_normalizing_again_changes_nothing(texts: list[str]) -> None:
    once = normalized_texts(pl.Series(texts, dtype=pl.String))
    assert np.array_equal(key_normalized(once), text_keys(pl.Series(texts, dtype=pl.String)))
    assert [text_key(text) for text in once] == [text_key(text) for text in texts]


def test_normalized_texts_are_what_shingles_are_cut_from() -> None:
    texts = pl.Series(["  One\nTwo\x1f three  ", "STRASSE Straße", None, "①ﬁ\u00a0x", ""])
    assert normalized_texts(texts).to_list() == ["one two three", "strasse strasse", None, "1fi x", ""]


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_ascii_path_equals_the_general_one(text: str) -> None:
    # A no-break space is not ASCII, and white space at the end is not part of the key.
    assert text_key(text) == text_key(text + "\u00a0")


@given(st.text())
def test_case_and_surrounding_space_never_matter(text: str) -> None:
    assert text_key(f"  {text}\n") == text_key(text) == text_key(text.casefold())


def test_a_lone_surrogate_has_a_key() -> None:
    assert len(text_key("\ud800")) == 32


@given(st.text(), st.text())
def test_a_bucket_lies_in_the_unit_interval_and_is_stable(seed_text: str, group: str) -> None:
    assert 0.0 <= bucket(seed_text, group) < 1.0
    assert bucket(seed_text, group) == bucket(seed_text, group)


def test_a_bucket_is_a_fixed_function() -> None:
    digest = hashlib.sha256(b"salt\0group").digest()
    assert bucket("salt", "group") == pytest.approx(int.from_bytes(digest, "big") / 2**256, abs=1e-15)


def test_buckets_are_uniform_and_independent_between_salts() -> None:
    first = [bucket("a", str(number)) for number in range(4000)]
    second = [bucket("b", str(number)) for number in range(4000)]
    assert sum(value < 0.15 for value in first) == pytest.approx(600, abs=75)
    both = sum(x < 0.5 and y < 0.5 for x, y in zip(first, second, strict=True))
    assert both == pytest.approx(1000, abs=100)
