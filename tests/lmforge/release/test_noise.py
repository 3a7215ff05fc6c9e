"""Noise is a function of its arguments, changes what it says and leaves a text that can be read."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.release.noise import add_noise, seeded

KINDS = ["typos", "upper", "lower", "unicode"]
TEXT = "A small Package that shows naïve users how words are typed, mistyped and read again on many screens."
texts = st.text(min_size=1, max_size=200)


def noisy(text, kind, rate=0.1, seed=0, example_id="e1"):
    return add_noise(text, kind, rate=rate, seed=seed, example_id=example_id)


@given(texts, st.sampled_from(KINDS), st.floats(0.01, 1.0), st.integers(0, 9))
@settings(max_examples=300, deadline=None)
def test_the_same_arguments_give_the_same_text_and_never_none(text, kind, rate, seed):
    found = noisy(text, kind, rate, seed)
    assert found and found == noisy(text, kind, rate, seed)


@given(texts, st.sampled_from(["upper", "lower"]))
@settings(max_examples=300, deadline=None)
def test_case_changes_nothing_a_second_time(text, kind):
    assert noisy(noisy(text, kind), kind) == noisy(text, kind)


@given(st.text(alphabet="abcdeé xyzABC", min_size=1, max_size=80), st.floats(0.01, 1.0))
@settings(max_examples=300, deadline=None)
def test_typos_leave_short_words_and_the_ends_of_long_ones(text, rate):
    before, after = text.split(" "), noisy(text, "typos", rate).split(" ")
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert (one[:1], one[-1:]) == (other[:1], other[-1:])
        assert abs(len(one) - len(other)) <= 1
        assert one == other or len(one) >= 4
    long = sum(len(word) >= 4 for word in before)
    changed = sum(one != other for one, other in zip(before, after, strict=True))
    assert changed == (max(1, round(rate * long)) if long else 0)


@given(st.text(alphabet="abcdeABC", min_size=2, max_size=30), st.integers(0, 50))
@settings(max_examples=300, deadline=None)
def test_unicode_noise_changes_what_a_person_reads_as_the_same(text, seed):
    found = noisy(text, "unicode", 1.0, seed)
    assert found != text
    plain = unicodedata.normalize("NFKD", found).replace("\u00ad", "").replace("\u0301", "")
    alike = plain.translate(str.maketrans("асеАВС", "aceABC"))
    assert alike == text


@pytest.mark.parametrize("kind", ["typos", "unicode"])
def test_seed_and_example_change_the_noise(kind):
    found = {noisy(TEXT, kind, 0.3, seed, one) for seed in range(3) for one in ("a", "b", "c")}
    assert len(found) == 9


def test_all_kinds_of_changes_occur():
    words = [noisy("keyboard", "typos", 1.0, seed) for seed in range(60)]
    lengths = {len(word) for word in words}
    assert lengths == {7, 8, 9}
    assert any(sorted(word) == sorted("keyboard") for word in words), "two letters change places"
    assert any(len(word) == 8 and sorted(word) != sorted("keyboard") for word in words), "the key beside it is hit"
    garbled = "".join(noisy("peace to all", "unicode", 1.0, seed) for seed in range(60))
    assert {"\u00a0", "\u00ad", "\u0301", "е", "ｐ"} <= set(garbled)


def test_a_capital_is_mistyped_as_a_capital():
    found = "".join(noisy("KEYBOARD", "typos", 1.0, seed) for seed in range(60))
    assert found.isupper()


@pytest.mark.parametrize("text", ["", "   ", "42", "漢字かな交じり", "Ж", "a b c"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_such_words_can_be_noised_too(text, kind):
    assert bool(noisy(text, kind)) == bool(text)


def test_a_mark_that_can_be_split_off_is():
    found = {noisy("Zoë", "unicode", 1.0, seed) for seed in range(40)}
    assert unicodedata.normalize("NFD", "Zoë") in found


def test_generators_of_examples_are_independent_of_each_other():
    assert seeded(1, "a", "typos").random() == seeded(1, "a", "typos").random()
    firsts = [
        seeded(seed, one, kind).random() for seed in (1, 2) for one in ("a", "b") for kind in ("typos", "unicode")
    ]
    assert len(set(firsts)) == 8
