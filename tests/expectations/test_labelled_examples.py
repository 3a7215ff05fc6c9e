"""Each promise of `labelled_examples` is kept by one table and broken by another that differs in one respect."""

from __future__ import annotations

import polars as pl
import pytest

from expectations.labelled_examples import labelled_examples
from lmforge.recipe.promises import LabelledPromises

THRESHOLDS = {"min_train_examples": 6, "min_test_examples": 4, "max_majority_share": 0.7}
SPLITS = ["train"] * 6 + ["validation"] * 4 + ["test"] * 4


def table(**changes: list) -> pl.DataFrame:
    numbers = range(len(SPLITS))
    columns = {
        "id": [f"e{number}" for number in numbers],
        "text": [f"Text number {number}" for number in numbers],
        "label": ["good" if number % 2 else "bad" for number in numbers],
        "group": [number // 2 for number in numbers],
        "split": SPLITS,
    }
    return pl.DataFrame(columns | changes)


def with_last(column: str, value: object) -> pl.DataFrame:
    return table(**{column: [*table()[column].to_list()[:-1], value]})


def test_good_table_passes(judge):
    verdict = judge(labelled_examples(**THRESHOLDS), table())
    assert verdict.broken == set()
    assert verdict.statistics["least_examples_per_label"] == 2
    assert verdict.statistics["majority_share"] == 0.5


@pytest.mark.parametrize(
    ("column", "value", "broken", "offender"),
    [
        ("text", "", {"empty_share"}, "'e13'"),
        ("text", None, {"empty_share"}, "'e13'"),
        ("label", None, {"unlabelled_share", "least_examples_per_label"}, "'e13'"),
        ("label", " ", {"unlabelled_share", "least_examples_per_label"}, "'e13'"),
        ("text", "  text  NUMBER\n0 ", {"overlap_share"}, "'e13'"),
        ("id", "e12", {"repeated_id_share"}, "'e12'"),
        ("group", None, {"straddling_share"}, "'e13'"),
    ],
)
def test_each_row_rule_can_be_broken(judge, column, value, broken, offender):
    verdict = judge(labelled_examples(**THRESHOLDS), with_last(column, value))
    assert verdict.broken == broken
    assert verdict.offenders == {offender}


def test_overlap_is_a_share_of_the_test_examples(judge):
    frame = with_last("text", "text number 0")
    verdict = judge(labelled_examples(**THRESHOLDS), frame)
    assert verdict.statistics["overlap_share"] == 0.25
    assert judge(labelled_examples(**THRESHOLDS, max_overlap_share=0.25), frame).broken == set()


def test_group_in_two_splits_is_shown_on_both_sides(judge):
    verdict = judge(labelled_examples(**THRESHOLDS), with_last("group", 0))
    assert verdict.broken == {"straddling_share"}
    assert verdict.offenders == {"'e0'", "'e1'", "'e13'"}


def test_group_across_validation_and_test_is_found(judge):
    assert judge(labelled_examples(**THRESHOLDS), with_last("group", 3)).broken == {"straddling_share"}


def test_unknown_split_is_broken(judge):
    verdict = judge(labelled_examples(**THRESHOLDS), table(split=[*SPLITS[:-2], "extra", "extra"]))
    assert {"split_share", "num_test_examples"} <= verdict.broken


@pytest.mark.parametrize(
    ("frame", "broken"),
    [
        (table().tail(13), {"num_train_examples"}),
        (table().head(13), {"num_test_examples", "least_examples_per_label"}),
        (
            table().filter(pl.col("split") != "validation"),
            {"num_validation_examples", "least_examples_per_label"},
        ),
        (table(label=["bad"] * 14), {"num_labels", "majority_share"}),
        (table(label=["bad"] * 4 + ["good"] * 10), {"least_examples_per_label", "majority_share"}),
        (with_last("label", "rare"), {"least_examples_per_label"}),
    ],
)
def test_each_bound_can_be_broken(judge, frame, broken):
    assert judge(labelled_examples(**THRESHOLDS), frame).broken == broken


def test_thresholds_are_those_of_the_recipe():
    suite = labelled_examples(**LabelledPromises().model_dump())
    keys = {check["meta"]["key"].rpartition(".")[2] for check in suite.checks} - {""}
    assert keys == set(LabelledPromises.model_fields)
