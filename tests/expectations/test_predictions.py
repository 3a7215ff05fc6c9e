"""Each promise of `predictions` is kept by one table and broken by another that differs in one respect."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from expectations.predictions import answered, predictions
from lmforge.evaluation.predictions import read_predictions, write_predictions
from lmforge.recipe.model_promises import PredictionPromises

LABELS = ("bad", "good", "it's")
FACTS = {"num_test_examples": 8}
TEST = pl.DataFrame({"id": [f"e{n}" for n in range(8)], "label": ["good", "bad"] * 4, "text": ["t"] * 8})


def answers(**changes: list) -> pl.DataFrame:
    columns = {
        "id": TEST["id"].to_list(),
        "gold": ["good", "bad"] * 4,
        "predicted": ["good", "bad"] * 3 + ["good", "good"],
        "score": [0.8] * 8,
        "loss": [-math.log(0.8)] * 7 + [-math.log(0.15)],
    }
    return pl.DataFrame(columns | changes)


def with_first(column: str, value: object) -> pl.DataFrame:
    return answers(**{column: [value, *answers()[column].to_list()[1:]]})


def joined(table: pl.DataFrame) -> pl.DataFrame:
    return answered(table.lazy(), TEST.lazy()).collect()


def test_good_table_passes(judge):
    verdict = judge(predictions(labels=LABELS), joined(answers()), FACTS)
    assert (verdict.broken, verdict.warned) == (set(), set())
    assert verdict.statistics["accuracy"] == 7 / 8
    assert verdict.statistics["label_shift"] == pytest.approx(1 / 8)


@pytest.mark.parametrize(
    ("column", "value", "broken"),
    [
        ("predicted", "other", {"unknown_label_share", "distribution_share"}),
        ("gold", "bad", {"gold_share", "distribution_share"}),
        ("gold", None, {"gold_share", "distribution_share"}),
        ("score", 1.2, {"score_share", "distribution_share"}),
        ("score", 0.1, {"score_share", "distribution_share"}),
        ("score", math.nan, {"score_share", "distribution_share"}),
        ("score", None, {"score_share", "distribution_share"}),
        ("loss", math.inf, {"loss_share", "distribution_share"}),
        ("loss", math.nan, {"loss_share", "distribution_share"}),
        ("loss", -0.5, {"loss_share", "distribution_share"}),
        ("loss", 0.5, {"distribution_share"}),
    ],
)
def test_each_answer_rule_can_be_broken(judge, column, value, broken):
    verdict = judge(predictions(labels=LABELS), joined(with_first(column, value)), FACTS)
    assert verdict.broken == broken
    assert verdict.offenders == {"'e0'"}


@pytest.mark.parametrize(("score", "gold"), [(0.8, 0.3), (0.8, 0.85), (0.4, 0.5)])
def test_a_wrong_answer_needs_room_for_a_smaller_true_label(judge, score, gold):
    columns = answers()
    losses, scores = (
        [*columns[name].to_list()[:7], value] for name, value in (("loss", -math.log(gold)), ("score", score))
    )
    frame = answers(loss=losses, score=scores)
    verdict = judge(predictions(labels=LABELS), joined(frame), FACTS)
    assert (verdict.broken, verdict.offenders) == ({"distribution_share"}, {"'e7'"})


@pytest.mark.parametrize(
    ("table", "broken", "offenders"),
    [
        (answers().tail(7), {"unanswered_share", "answered_share"}, {"'e0'"}),
        (with_first("id", "e9"), {"unanswered_share", "stray_share", "gold_share"}, {"'e0'", "'e9'"}),
        (pl.concat([answers(), answers().head(1)]), {"repeated_id_share", "answered_share"}, {"'e0'"}),
    ],
)
def test_every_test_example_has_exactly_one_answer(judge, table, broken, offenders):
    verdict = judge(predictions(labels=LABELS), joined(table), FACTS)
    assert (verdict.broken, verdict.offenders) == (broken, offenders)


def test_a_test_set_of_another_size_is_broken(judge):
    assert judge(predictions(labels=LABELS), joined(answers()), {"num_test_examples": 9}).broken == {"answered_share"}
    assert judge(predictions(labels=LABELS), joined(answers()), {}).broken == {"answered_share"}


def test_constant_answer_warns_and_can_be_made_to_stop(judge):
    losses = [-math.log(0.8), -math.log(0.15)] * 4
    constant = joined(answers(predicted=["good"] * 8, loss=losses))
    verdict = judge(predictions(labels=LABELS), constant, FACTS)
    assert (verdict.broken, verdict.warned) == (set(), {"num_predicted_labels", "label_shift"})
    strict = predictions(labels=LABELS, warn=("max_label_shift",))
    assert judge(strict, constant, FACTS).broken == {"num_predicted_labels"}


@pytest.mark.parametrize(
    ("facts", "warned"),
    [({}, set()), ({"then_num_answers": 17}, {"volume_ratio"}), ({"prediction_drift": 0.21}, {"prediction_drift"})],
)
def test_changes_warn(judge, facts, warned):
    then = FACTS | {"then_num_answers": 8, "prediction_drift": 0.0} | facts
    verdict = judge(predictions(labels=LABELS), joined(answers()), then, "key")
    assert (verdict.broken, verdict.warned) == (set(), warned)


@pytest.mark.parametrize("column", ["id", "gold", "predicted", "score", "loss", "expected"])
def test_missing_column_is_broken(judge, column):
    assert "num_unfit_columns" in judge(predictions(labels=LABELS), joined(answers()).drop(column), FACTS).broken


def test_the_file_that_evaluation_writes_is_judged(judge, tmp_path):
    probabilities = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]], dtype=np.float32)
    gold = np.array([1, 0, 1])
    losses = -np.log(np.maximum(probabilities[np.arange(3), gold], np.finfo(np.float32).tiny))
    write_predictions(
        tmp_path,
        ids=["a", "b", "c"],
        gold=["y", "x", "y"],
        predicted=["y", "x", "x"],
        scores=probabilities.max(-1),
        losses=losses,
        num_words=[1, 2, 3],
    )
    test = pl.LazyFrame({"id": ["c", "a", "b"], "label": ["y", "y", "x"]})
    frame = answered(read_predictions(tmp_path).lazy(), test).collect()
    (tmp_path / "predictions.parquet").unlink()
    assert judge(predictions(labels=("x", "y")), frame, {"num_test_examples": 3}).broken == set()


def test_thresholds_are_those_of_the_recipe():
    suite = predictions(labels=LABELS, **PredictionPromises().model_dump())
    keys = {check["meta"]["key"].rpartition(".")[2] for check in suite.checks} - {""}
    assert keys == set(PredictionPromises.model_fields) - {"warn"}
