"""The predictions file: what is written is read, in one order, or refused."""

import numpy as np
import polars as pl
import pytest

from lmforge.errors import InputError, IntegrityError
from lmforge.evaluation.predictions import PREDICTIONS, paired_ids, read_predictions, write_predictions


def rows(**changes):
    columns = {
        "ids": ["b", "a", "c"],
        "gold": ["x", "y", "x"],
        "predicted": ["x", "x", "y"],
        "scores": np.array([0.9, 0.6, 0.7], dtype=np.float32),
        "losses": np.array([0.1, 0.9, 1.2]),
        "num_words": [3, 17, 300],
    }
    return columns | changes


def test_what_is_written_is_read_in_order_of_id(tmp_path):
    path = write_predictions(tmp_path, **rows())
    frame = read_predictions(tmp_path)
    assert path == tmp_path / PREDICTIONS
    assert frame["id"].to_list() == ["a", "b", "c"]
    assert frame["gold"].to_list() == ["y", "x", "x"]
    assert frame["num_words_bucket"].to_list() == ["17-64", "0-16", "257+"]
    assert frame["score"].to_list() == pytest.approx([0.6, 0.9, 0.7])


def test_bytes_depend_on_the_answers_and_not_on_their_order(tmp_path):
    first = write_predictions(tmp_path, **rows()).read_bytes()
    turned = {name: values[::-1] for name, values in rows().items()}
    assert write_predictions(tmp_path, **turned).read_bytes() == first


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ids": ["a", "a", "c"]}, r"1 ids repeat, such as \['a'\]"),
        ({"gold": ["x"]}, r"\[3, 1, 3, 3, 3, 3\] rows"),
        ({"losses": np.array([0.1, np.nan, 0.2])}, "not finite"),
        ({"scores": np.array([0.1, np.inf, 0.2])}, "not finite"),
    ],
)
def test_rows_that_are_no_evidence_are_refused(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        write_predictions(tmp_path, **rows(**changes))
    assert not (tmp_path / PREDICTIONS).exists()


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(IntegrityError, match="is missing"):
        read_predictions(tmp_path)


def test_a_damaged_file_says_so(tmp_path):
    path = write_predictions(tmp_path, **rows())
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(IntegrityError, match="not a Parquet file"):
        read_predictions(tmp_path)


def test_another_schema_is_refused(tmp_path):
    pl.DataFrame({"id": ["a"]}).write_parquet(tmp_path / PREDICTIONS)
    with pytest.raises(IntegrityError, match="has columns"):
        read_predictions(tmp_path)


def frame(tmp_path, **changes):
    write_predictions(tmp_path, **rows(**changes))
    return read_predictions(tmp_path)


def test_two_models_pair_up_by_id(tmp_path):
    one, other = frame(tmp_path), frame(tmp_path, predicted=["y", "y", "y"])
    gold, challenger, champion = paired_ids(one.reverse(), other, ["x", "y"])
    assert gold.tolist() == [1, 0, 0]
    assert challenger.tolist() == [0, 0, 1]
    assert champion.tolist() == [1, 1, 1]


@pytest.mark.parametrize("changes", [{"ids": ["b", "a", "d"]}, {"gold": ["x", "x", "x"]}])
def test_other_examples_do_not_pair_up(tmp_path, changes):
    with pytest.raises(IntegrityError, match="not scored on the same test set"):
        paired_ids(frame(tmp_path), frame(tmp_path, **changes), ["x", "y"])
