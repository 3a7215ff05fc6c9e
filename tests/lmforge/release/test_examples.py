"""The common form of evidence: pairing, slice keys and what is refused."""

import numpy as np
import polars as pl
import pytest

from lmforge.errors import IntegrityError
from lmforge.evaluation.classification import read_slices
from lmforge.evaluation.predictions import read_predictions, write_predictions
from lmforge.release.examples import Answers, check_examples, classification_examples, examples_frame
from lmforge.release.slicing import cut_slices


def predictions(path, predicted, gold=("a", "b", "a")):
    path.mkdir()
    write_predictions(
        path, ids=["3", "1", "2"], gold=gold, predicted=predicted, scores=np.array([0.9, 0.8, 0.7]),
        losses=np.array([0.1, 0.2, 2.0]), num_words=[3, 20, 500],
    )  # fmt: skip
    return read_predictions(path)


def test_two_models_pair_up(tmp_path):
    first, second = predictions(tmp_path / "a", ["a", "b", "b"]), predictions(tmp_path / "b", ["b", "b", "a"])
    frame = classification_examples(first, second, pl.DataFrame({"id": ["1", "2"], "language": ["en", "de"]}))
    assert frame["id"].to_list() == ["1", "2", "3"]
    assert frame["challenger_score"].to_list() == [1.0, 0.0, 1.0]
    assert frame["champion_score"].to_list() == [1.0, 1.0, 0.0]
    assert frame["challenger_confidence"].to_list() == [0.8, 0.7, 0.9]
    assert frame["slice_length"].to_list() == ["17-64", "257+", "0-16"]
    assert frame["slice_class"].to_list() == ["b", "a", "a"]
    assert frame["slice_language"].to_list() == ["en", "de", None]


def test_slices_of_the_test_set_come_with_the_answers(tmp_path):
    test = pl.DataFrame({"id": ["1", "2", "3"], "text": ["a", "b", "c"], "slice_source": ["web", "web", "(none)"]})
    test.write_parquet(tmp_path / "test.parquet")
    answers = predictions(tmp_path / "a", ["a", "b", "b"])
    frame = classification_examples(answers, answers, read_slices(tmp_path))
    assert frame["slice_source"].to_list() == ["web", "web", "(none)"]
    assert [name for name, _ in cut_slices(frame, ("source",))] == ["source=(none)", "source=web"]
    test.drop("slice_source").write_parquet(tmp_path / "test.parquet")
    assert read_slices(tmp_path) is None


def test_the_first_version_stands_alone(tmp_path):
    frame = classification_examples(predictions(tmp_path / "a", ["a", "b", "b"]), None)
    assert frame["champion"].to_list() == [None] * 3
    check_examples(frame)


def test_another_test_set_is_refused(tmp_path):
    first = predictions(tmp_path / "a", ["a", "b", "b"])
    second = predictions(tmp_path / "b", ["b", "b", "a"], gold=("b", "b", "a"))
    with pytest.raises(IntegrityError, match="not scored on the same test set"):
        classification_examples(first, second)


def test_other_kinds_of_task_bring_scores_and_weights():
    documents = Answers(["", ""], scores=[-900.0, -100.0], weights=[450.0, 50.0], losses=[1.0, 2.0])
    frame = examples_frame(["a", "b"], ["", ""], documents, documents, {"source": ["web", None]}, ["x", "x"])
    assert frame["champion_weight"].to_list() == [450.0, 50.0]
    assert frame["challenger_confidence"].null_count() == 2
    assert frame["group"].to_list() == ["x", "x"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit("same").alias("id"), "399 ids of examples repeat"),
        (pl.lit(float("nan")).alias("challenger_score"), "challenger: 400 of 400"),
        (pl.when(pl.col("id") == "e00001").then(1.0).alias("champion_score"), "champion: 399 of 400"),
        (pl.lit(float("inf")).alias("champion_loss"), "champion: 400 of 400"),
        (pl.lit(-1.0).alias("champion_weight"), "champion: 400 of 400"),
        (pl.lit(1.5).alias("challenger_confidence"), "challenger: 400 of 400"),
        (pl.lit(None, pl.String).alias("champion"), "champion: 400 of 400"),
        (pl.lit(1).alias("more"), "expected at least one row"),
        (pl.lit(1).alias("slice_year"), "slices as text"),
    ],
)
def test_what_cannot_be_judged_is_refused(examples, change, message):
    with pytest.raises(IntegrityError, match=message):
        check_examples(examples().with_columns(change))


def test_no_examples_are_refused(examples):
    with pytest.raises(IntegrityError, match="0 rows"):
        check_examples(examples().head(0))
