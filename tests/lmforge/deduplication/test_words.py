import re
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.deduplication.words import blocks, hash_words, ngram_hashes

# Few characters, so that words repeat; a word may be longer than what is hashed in pieces of 8 bytes.
ALPHABET = st.sampled_from(["a", "b", "é", "\U0001f600", " ", "\n", "字", "か", ".", "abcdefgh", "x" * 31])
TEXTS = st.lists(st.lists(ALPHABET, max_size=14).map("".join), max_size=6)
# Made by the first version of the hash; another value would part stored indexes from new ones.
GOLDEN_WORDS = [
    "fb761138e1e0a78c",
    "f421a670ae3c712a",
    "727250b166fa0e11",
    "5f6b25c7f469db19",
    "48b8442c1b41a9c2",
    "22822823e92f81cc",
]
GOLDEN_PAIRS = ["ced0dd1134fdf8e5", "b9959740eb3431c7", "829162fefa8196f6", "96e1c024168be9fd"]
WORD = re.compile(r"[\u3000-\u9fff]|[^\x00-\x20\u3000-\u9fff]+")
WORD_OR_POINT = re.compile(r"[\u3000-\u9fff]|[^\x00-\x20.\u3000-\u9fff]+")


def table(texts):
    return pl.Series(texts, dtype=pl.String)


def hashes_by_text(words):
    return [words.hashes[a:b].tolist() for a, b in pairwise(words.offsets)]


def assert_same_pattern(things, hashes):
    """Equal things have equal hashes, different ones different hashes."""
    assert [len(row) for row in things] == [len(row) for row in hashes]
    pairs = {
        (thing, number)
        for row, numbers in zip(things, hashes, strict=True)
        for thing, number in zip(row, numbers, strict=True)
    }
    assert len(pairs) == len({thing for thing, _ in pairs}) == len({number for _, number in pairs})


@given(TEXTS)
def test_words_are_what_a_regular_expression_finds(texts):
    assert_same_pattern([WORD.findall(text) for text in texts], hashes_by_text(hash_words(table(texts))))


@given(TEXTS)
def test_punctuation_parts_words_on_request(texts):
    words = hash_words(table(texts), ignore_punctuation=True)
    assert_same_pattern([WORD_OR_POINT.findall(text) for text in texts], hashes_by_text(words))


def test_all_ascii_punctuation_is_ignored():
    marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    words = hash_words(table([f"one{mark}two" for mark in marks] + ["one two"]), ignore_punctuation=True)
    assert len({tuple(row) for row in hashes_by_text(words)}) == 1


@pytest.mark.parametrize("length", [1, 7, 8, 9, 16, 17, 31, 32, 33, 64, 1000])
def test_every_byte_of_a_word_counts(length):
    word = "m" * length
    changed = [word[:at] + "n" + word[at + 1 :] for at in range(length)]
    hashes = hash_words(table([word, word + "m", word[:-1] + " x", *changed])).hashes
    assert len(np.unique(hashes)) == length + 2 + (2 if length > 1 else 1)


def test_hashes_are_the_same_for_ever():
    words = hash_words(table(["a résumé of 字", "internationalisation " + "x" * 40]))
    grams, _ = ngram_hashes(words, 2)
    assert [f"{number:016x}" for number in words.hashes] == GOLDEN_WORDS
    assert [f"{number:016x}" for number in grams] == GOLDEN_PAIRS


@given(TEXTS, TEXTS)
def test_a_text_is_hashed_alike_wherever_it_stands(first, second):
    both = hashes_by_text(hash_words(table(first + second)))
    assert both == hashes_by_text(hash_words(table(first))) + hashes_by_text(hash_words(table(second)))


def test_parts_of_a_table_and_missing_texts_are_read_right():
    texts = table(["zero", None, "one two", "", "three"])
    assert hashes_by_text(hash_words(texts[2:])) == hashes_by_text(hash_words(texts))[2:]
    assert hash_words(texts).offsets.tolist() == [0, 1, 1, 3, 3, 4]
    assert hash_words(pl.concat([texts[:2], texts[2:]], rechunk=False)).offsets.tolist() == [0, 1, 1, 3, 3, 4]


def test_no_texts_have_no_words():
    words = hash_words(table([]))
    assert words.offsets.tolist() == [0]
    assert [part.tolist() for part in ngram_hashes(words, 3, keep_short=True)] == [[], [0]]


@given(TEXTS, st.integers(1, 5))
def test_ngrams_are_all_runs_inside_a_text(texts, n):
    found = [WORD.findall(text) for text in texts]
    expected = [[tuple(words[at : at + n]) for at in range(len(words) - n + 1)] for words in found]
    hashes, offsets = ngram_hashes(hash_words(table(texts)), n)
    assert_same_pattern(expected, [hashes[a:b].tolist() for a, b in pairwise(offsets)])


@given(TEXTS, st.integers(1, 5))
def test_a_short_text_is_one_run_on_request(texts, n):
    found = [tuple(WORD.findall(text)) for text in texts]
    expected = [[words[at : at + n] for at in range(max(1, len(words) - n + 1))] for words in found]
    hashes, offsets = ngram_hashes(hash_words(table(texts)), n, keep_short=True)
    assert_same_pattern(expected, [hashes[a:b].tolist() for a, b in pairwise(offsets)])


def test_the_order_of_words_matters_and_their_place_does_not():
    hashes, _ = ngram_hashes(hash_words(table(["a b c a b", "b a c"])), 2)
    ab, bc, ca, ab_again, ba, ac = hashes.tolist()
    assert ab == ab_again
    assert len({ab, bc, ca, ba, ac}) == 5


@settings(max_examples=20)
@given(st.lists(st.sampled_from([0, 1, 1000, 200_000, 300_000]), max_size=8))
def test_blocks_are_the_table_in_small_pieces(sizes):
    texts = table(["x" * size for size in sizes])
    parts = list(blocks(texts))
    assert pl.concat([texts.clear(), *parts]).equals(texts)
    assert all(len(part) == 1 or part.str.len_bytes().sum() <= 1 << 18 for part in parts)


def test_blocks_have_a_thousand_texts_at_most():
    assert [len(part) for part in blocks(table(["a"] * 2_500))] == [1_000, 1_000, 500]


def test_a_text_longer_than_a_block_is_hashed_as_a_whole():
    text = " ".join(str(number) for number in range(150_000))
    words = hash_words(table([text, "7 8 9"]))
    grams, offsets = ngram_hashes(words, 3)
    assert len(np.unique(words.hashes)) == 150_000
    assert grams[offsets[1]] == grams[7]
