"""The baselines on texts whose answer is known."""

import pytest

from lmforge.errors import InputError
from lmforge.evaluation.baselines import majority, tfidf_linear

TEXTS = ["play chess online", "chess game board", "mail server queue", "read mail folders"] * 3
LABELS = ["games", "games", "mail", "mail"] * 3


def test_majority_predicts_the_most_frequent_label():
    assert majority(["b", "a", "b"], 2) == ["b", "b"]


def test_majority_of_equals_is_the_first_by_name():
    assert majority(["b", "a"], 1) == majority(["a", "b"], 1) == ["a"]


def test_majority_needs_a_label():
    with pytest.raises(InputError, match="0 training labels"):
        majority([], 3)


def test_linear_model_learns_words():
    assert tfidf_linear(TEXTS, LABELS, ["a chess board", "mail queue"], seed=0) == ["games", "mail"]


def test_linear_model_repeats_itself():
    texts = [f"word{index % 7} other{index % 5} more{index % 3}" for index in range(60)]
    labels = [f"label{index % 4}" for index in range(60)]
    assert tfidf_linear(texts, labels, texts, seed=1) == tfidf_linear(texts, labels, texts, seed=1)


def test_no_test_texts_is_no_predictions():
    assert tfidf_linear(TEXTS, LABELS, [], seed=0) == []


def test_texts_without_a_shared_word_get_the_majority_label():
    assert tfidf_linear(["alpha one", "beta two", "gamma three"], ["x", "y", "y"], ["alpha"], seed=0) == ["y"]


@pytest.mark.parametrize("labels", [["a", "a"], ["a", "b", "a"]])
def test_labels_must_be_of_two_kinds_and_one_a_text(labels):
    with pytest.raises(InputError, match="at least two kinds"):
        tfidf_linear(["some text", "other text"], labels, ["text"], seed=0)
