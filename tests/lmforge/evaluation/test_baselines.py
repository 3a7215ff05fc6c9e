"""The baselines on texts whose answer is known."""

import pytest

from lmforge.errors import InputError
from lmforge.evaluation.baselines import majority, tfidf_linear
from lmforge.recipe.schema import Baselines

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


def test_by_default_nothing_is_left_out_of_a_text():
    texts = [f"the {word} of it" for word in ("play", "playing", "played", "player")] * 3
    plain = tfidf_linear(texts, LABELS, texts, seed=0)
    assert plain == tfidf_linear(texts, LABELS, texts, seed=0, options=Baselines()) == LABELS


def test_stemming_lets_forms_of_a_word_count_as_one():
    texts, tests = ["playing chess", "played chess", "reading mail", "reads mail"] * 3, ["they play", "to read"]
    assert tfidf_linear(texts, LABELS, tests, seed=0, options=Baselines(stemming="english")) == ["games", "mail"]
    assert tfidf_linear(texts, LABELS, tests, seed=0)[0] == tfidf_linear(texts, LABELS, tests, seed=0)[1]


def test_stop_words_are_not_seen():
    texts = ["the of they", "the of they", "with from also", "with from also"] * 3
    assert tfidf_linear(texts, LABELS, ["the of", "with from"], seed=0) == ["games", "mail"]
    without = Baselines(stop_words="english")
    assert tfidf_linear(texts, LABELS, ["the of", "with from"], seed=0, options=without) == ["games", "games"]


def test_stop_words_are_dropped_as_written_before_stemming():
    texts = ["being here", "being here", "chess game", "chess game"] * 3
    both = Baselines(stop_words="english", stemming="english")
    assert tfidf_linear(texts, LABELS, ["games"], seed=0, options=both) == ["mail"]
