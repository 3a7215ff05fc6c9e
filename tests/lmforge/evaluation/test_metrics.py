"""Scores against scikit-learn and by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from lmforge.errors import InputError
from lmforge.evaluation.metrics import classification_metrics, label_ids, metric_of

LABELS = ["a", "b", "c", "d"]
pairs = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_scores_agree_with_scikit_learn(rows):
    gold, predicted = zip(*rows, strict=True)
    scores = classification_metrics(gold, predicted, LABELS)
    assert scores["accuracy"] == pytest.approx(accuracy_score(gold, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(gold, predicted, average="macro", zero_division=0))
    columns = precision_recall_fscore_support(gold, predicted, labels=LABELS, zero_division=0)
    for row, expected in zip(scores["per_class"], zip(*columns, strict=True), strict=True):
        assert [row["precision"], row["recall"], row["f1"], row["support"]] == pytest.approx(list(expected))


def test_confusion_has_gold_in_rows_and_is_json():
    scores = classification_metrics(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    assert scores["confusion"] == [[1, 1], [0, 1]]
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_label_that_occurs_nowhere_is_left_out_of_the_mean():
    gold = predicted = np.array([0, 1])
    assert metric_of("macro_f1")(gold, predicted, 5) == 1.0


@pytest.mark.parametrize(("name", "expected"), [("accuracy", 2 / 3), ("macro_f1", (2 / 3 + 2 / 3) / 2)])
def test_metric_of_scores_ids(name, expected):
    assert metric_of(name)(np.array([0, 0, 1]), np.array([0, 1, 1]), 2) == pytest.approx(expected)


def test_unknown_metric_names_the_known_ones():
    with pytest.raises(InputError, match=r"'f2'.*macro_f1, accuracy"):
        metric_of("f2")


def test_unknown_label_is_named():
    with pytest.raises(InputError, match="'z'"):
        label_ids(["a", "z"], LABELS)


@pytest.mark.parametrize(("gold", "predicted"), [([], []), (["a"], ["a", "b"])])
def test_rows_must_match_and_exist(gold, predicted):
    with pytest.raises(InputError, match="one of each per example"):
        classification_metrics(gold, predicted, LABELS)
