"""The suite `predictions`: what evaluation promises to whoever decides by its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from expectations.comparing import compared
from expectations.sharing import repeated_id
from expectations.suite import RowRule, Suite, bounded
from lmforge.recipe.model_promises import PredictionPromises

KEY = "expectations.predictions."
# Probabilities are computed in 32 bits and the loss is their logarithm.
_TOLERANCE = 0.001
# Far above -log of the smallest 64-bit number, 745.
_MAX_LOSS = 1_000_000


def predictions(*, labels: Sequence[str], **thresholds: Any) -> Suite:
    """Return the suite over a table that `answered` made; thresholds: those of `PredictionPromises`.

    labels: all labels that the model knows. Needs the facts `num_test_examples` of the frozen test set and
    `label_shift` of the table's profile.
    """
    promises = PredictionPromises(**thresholds)
    return Suite(
        name="predictions",
        promise="Metrics can be computed and believed: each example of the frozen test set has one valid answer.",
        columns={
            **dict.fromkeys(("id", "gold", "predicted", "expected"), "text"),
            **dict.fromkeys(("score", "loss"), "number"),
        },
        derived={"id_key": pl.col("id").hash(seed=0)},
        rules=(*_example_rules(), *_answer_rules(labels), repeated_id("answers with the id of an earlier one")),
        summary={
            "num_answers": "COUNT(predicted)",
            "num_predicted_labels": "COUNT(DISTINCT predicted)",
            "accuracy": "AVG(CASE WHEN predicted = gold THEN 1.0 ELSE 0.0 END)",
            "mean_score": "AVG(score)",
            "mean_loss": "AVG(loss)",
        },
        ratios={
            "answered_share": "CAST(num_answers AS DOUBLE) / num_test_examples",
            "volume_ratio": "CAST(num_answers AS DOUBLE) / then_num_answers",
        },
        expectations=(*_bounds(promises), *compared(KEY, "test examples", promises)),
        place="''",
        warn=promises.warn,
    )


def answered(answers: pl.LazyFrame, test: pl.LazyFrame) -> pl.LazyFrame:
    """Return the answers beside the frozen test set, a row for each example that either holds.

    answers: the columns of `predictions.parquet`. test: at least `id` and `label`. The column `expected` is the label
    of the test set; it is null for an answer to no example of it, and `predicted` is null for an example without one.
    """
    return answers.join(test.select("id", expected="label"), on="id", how="full", coalesce=True).sort("id")


def _example_rules() -> tuple[RowRule, ...]:
    return (
        RowRule("unanswered", "predicted IS NULL", 0.0, "test examples without an answer", show=("expected",)),
        RowRule("stray", "expected IS NULL", 0.0, "answers to no example of the test set", show=("predicted",)),
        RowRule(
            "gold",
            "gold <> expected",
            0.0,
            "answers whose true label is not that of the test set",
            among="predicted IS NOT NULL",
            show=("gold", "expected"),
        ),
    )


def _answer_rules(labels: Sequence[str]) -> tuple[RowRule, ...]:
    known = ", ".join("'" + label.replace("'", "''") + "'" for label in labels)
    least, most = 1 / max(len(labels), 1) - _TOLERANCE, 1 + _TOLERANCE
    # What the file holds of a distribution: the largest probability, and that of the true label as a loss.
    sums = (
        f"CASE WHEN predicted = gold THEN ABS(EXP(-loss) - score) > {_TOLERANCE} "
        f"ELSE EXP(-loss) > score + {_TOLERANCE} OR EXP(-loss) + score > {most} END"
    )
    rules = (
        ("unknown_label", f"predicted NOT IN ({known})", "that are no known label", ("predicted",)),
        ("score", f"NOT (score BETWEEN {least:.6f} AND {most})", "whose score is no largest probability", ("score",)),
        ("loss", f"NOT (loss BETWEEN {-_TOLERANCE} AND {_MAX_LOSS})", "whose loss is negative or no number", ("loss",)),
        ("distribution", sums, "whose probabilities cannot sum to 1", ("score", "loss")),
    )
    return tuple(
        RowRule(name, where, 0.0, f"answers {words}", among="predicted IS NOT NULL", show=show)
        for name, where, words, show in rules
    )


def _bounds(promises: PredictionPromises) -> tuple[dict[str, Any], ...]:
    different, fewest = "number of different answers", promises.min_predicted_labels
    shift, most = "share of answers to change for the mix of the true labels", promises.max_label_shift
    return (
        bounded("answered_share", "answers, as a share of the test examples", minimum=1, maximum=1),
        bounded("num_predicted_labels", different, minimum=fewest, key=KEY + "min_predicted_labels"),
        bounded("label_shift", shift, minimum=0, maximum=most, key=KEY + "max_label_shift"),
    )
