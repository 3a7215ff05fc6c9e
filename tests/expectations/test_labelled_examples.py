"""Each promise of `labelled_examples` is kept by one table and broken by another that differs in one respect."""

from __future__ import annotations

import polars as pl
import pytest

from expectations.labelled_examples import labelled_examples
from lmforge.recipe.promises import LabelledPromises

THRESHOLDS = {"min_train_examples": 6, "min_test_examples": 4, "max_majority_share": 0.7}
SPLITS = ["train"] * 6 + ["validation"] * 4 + ["test"] * 4

NO_SHORTCUTS = {"id_only_gain": 0.0, "order_only_gain": 0.0, "single_token_gain": 0.0}


@pytest.fixture
def judge(judge):
    """The verdict where no rule but understanding tells the labels, unless the test says otherwise."""
    return lambda suite, frame, facts=None, key=None: judge(suite, frame, NO_SHORTCUTS | (facts or {}), key)


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


def test_wrongly_decoded_and_repetitive_texts_warn(judge):
    verdict = judge(labelled_examples(**THRESHOLDS), with_last("text", "cafÃ©" + " buy" * 30))
    assert (verdict.broken, verdict.warned) == (set(), {"mojibake_share", "repetitive_share"})
    assert verdict.statistics["p95_words"] > verdict.statistics["mean_words"] > 3


def test_personal_data_is_a_fault_where_it_was_to_be_masked(judge):
    frame = with_last("text", "card 4111 1111 1111 1111")
    assert judge(labelled_examples(**THRESHOLDS), frame).broken == set()
    assert judge(labelled_examples(**THRESHOLDS, mask_personal_data=True), frame).broken == {"personal_data_share"}


@pytest.mark.parametrize(
    ("facts", "warned"),
    [
        ({}, set()),
        ({"id_only_gain": 0.3}, {"id_only_gain"}),
        ({"order_only_gain": 0.3}, {"order_only_gain"}),
        ({"single_token_gain": 0.6}, {"single_token_gain"}),
        ({"then_num_rows": 29}, {"volume_ratio"}),
        ({"length_drift": 0.3}, {"length_drift"}),
        ({"vocabulary_drift": 0.3}, {"vocabulary_drift"}),
        ({"label_drift": 0.3}, {"label_drift"}),
        ({"label_drift": None}, {"label_drift"}),
    ],
)
def test_changes_warn(judge, facts, warned):
    then = {"then_num_rows": 14, "length_drift": 0.0, "vocabulary_drift": 0.0, "label_drift": 0.0}
    verdict = judge(labelled_examples(**THRESHOLDS), table(), then | facts, "key")
    assert (verdict.broken, verdict.warned) == (set(), warned)
    assert judge(labelled_examples(**THRESHOLDS, warn=()), table(), then | facts, "key").broken == warned


def test_thresholds_are_those_of_the_recipe():
    suite = labelled_examples(**LabelledPromises().model_dump(), mask_personal_data=True)
    keys = {check["meta"]["key"].rpartition(".")[2] for check in suite.checks} - {""}
    assert keys == set(LabelledPromises.model_fields) - {"warn"}
