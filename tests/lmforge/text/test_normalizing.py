"""Keys and buckets: what counts as the same text, and that draws are uniform, stable and independent."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.text.normalizing import bucket, text_key


@pytest.mark.parametrize(
    "other",
    ["  Straße   ﬁn\n", "STRASSE FIN", "strasse\tﬁn", "Ｓｔｒａｓｓｅ fin"],
)
def test_texts_that_look_alike_share_a_key(other: str) -> None:
    assert text_key(other) == text_key("Strasse fin")


@pytest.mark.parametrize("other", ["strasse fins", "strassefin", "strasse-fin", ""])
def test_other_words_have_another_key(other: str) -> None:
    assert text_key(other) != text_key("Strasse fin")


def test_a_key_is_half_of_a_sha256_of_the_folded_text() -> None:
    assert text_key(" Hello\n World ") == hashlib.sha256(b"hello world").hexdigest()[:32]


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
