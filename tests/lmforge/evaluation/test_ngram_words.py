"""Windows and enumerated words against a search through the text itself."""

from itertools import pairwise

import numpy as np
import pytest

from lmforge.evaluation.ngram_counting import count_levels, reaches
from lmforge.evaluation.ngram_words import Windows, WordIndex, followers

START, VOCAB = 0, 30


@pytest.fixture(scope="module")
def text(stream):
    return stream(800).astype(np.int64)


@pytest.fixture(scope="module")
def levels(text):
    tokens = text.astype(np.int32)
    return list(count_levels(tokens, reaches(tokens, np.array([0]), START, 2), VOCAB, 3))


def triples(text):
    """All n-grams of order 3 of which only the first token may begin a document."""
    return {tuple(map(int, text[at : at + 3])) for at in range(len(text) - 2) if START not in text[at + 1 : at + 2]}


def as_sets(words, num_positions):
    found = [set() for _ in range(num_positions)]
    for row, cell in zip(words.rows, words.cells, strict=True):
        assert cell // VOCAB == row
        found[row].add(int(cell % VOCAB))
    return found


def test_windows_end_at_what_is_not_visible_and_include_the_start():
    visible = np.array([[5, 6, START, 7, 8, 9, -1, 4]])
    at = np.zeros(visible.shape, dtype=bool)
    at[0, [1, 4, 7]] = True
    windows = Windows.around(visible, at, 3, START)
    assert windows.left.tolist() == [[5, -1, -1], [7, START, -1], [-1, -1, -1]]
    assert windows.right.tolist() == [[START, -1, -1], [9, -1, -1], [-1, -1, -1]]
    assert windows.reach.tolist() == [1, 2, 0]


def test_windows_stay_in_their_block():
    visible = np.array([[1, 2, 3], [4, 5, 6]])
    windows = Windows.around(visible, np.ones(visible.shape, dtype=bool), 2, START)
    assert windows.left.tolist() == [[-1, -1], [1, -1], [2, 1], [-1, -1], [4, -1], [5, 4]]
    assert windows.right.tolist() == [[2, 3], [3, -1], [-1, -1], [5, 6], [6, -1], [-1, -1]]


def test_words_by_their_neighbours_are_those_of_the_text(levels, text):
    seen = triples(text)
    first, second, last = (np.array([triple[place] for triple in sorted(seen)]) for place in range(3))
    between = WordIndex.of_triples(levels[1], levels[2], word=1).find(first, last)
    before = WordIndex.of_triples(levels[1], levels[2], word=0).find(second, last)
    expected_between = [{b for a, b, c in seen if (a, c) == pair} for pair in zip(first, last, strict=True)]
    expected_before = [{a for a, b, c in seen if (b, c) == pair} for pair in zip(second, last, strict=True)]
    assert as_sets(between, len(first)) == expected_between
    assert as_sets(before, len(first)) == expected_before


def test_places_are_those_of_the_ngrams_with_the_word(levels):
    pairs = WordIndex.of_pairs(levels[1])
    tokens = np.arange(VOCAB)
    words = pairs.find(tokens)
    assert len(words.rows) == len(levels[1].keys), "each pair ends with one token"
    np.testing.assert_array_equal(levels[1].keys[words.places], words.cells % VOCAB * VOCAB + tokens[words.rows])


def test_followers_of_a_context(levels, text):
    contexts = np.array([3, -1, START])
    words = followers(levels[1], contexts)
    after = [{int(b) for a, b in pairwise(text) if a == token} for token in (3, START)]
    assert as_sets(words, 3) == [after[0], set(), after[1]]
    np.testing.assert_array_equal(levels[1].keys[words.places], contexts[words.rows] * VOCAB + words.cells % VOCAB)


def test_no_word_where_a_token_is_missing(levels):
    between = WordIndex.of_triples(levels[1], levels[2], word=1)
    none, some = np.array([-1, -1, 2]), np.array([3, -1, -1])
    assert len(between.find(none, some).rows) == 0
    assert len(WordIndex.of_pairs(levels[1]).find(np.array([-1])).rows) == 0


def test_words_are_selected_together(levels):
    words = followers(levels[1], np.array([1, 2]))
    second = words.where(words.rows == 1)
    assert as_sets(second, 2) == [set(), as_sets(words, 2)[1]]
    assert len(second.places) == len(second.rows)
