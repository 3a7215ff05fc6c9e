"""Reasons, repairs and numbers of personal data, as the stages counted them."""

import json

import pytest

from lmforge.reporting.data_report_losses import NUM_SAMPLES, personal_data, rejections, repairs, tags, unused_columns
from lmforge.reporting.data_report_stages import read_stages


@pytest.fixture
def stages(data_run):
    return read_stages(data_run.made, data_run.reports)


def test_every_reason_is_counted_as_the_manifest_counts_it(stages):
    counted = {(row["stage"], row["reason"]): row["number"] for row in rejections(stages)}
    reasons = {(one.name, reason): n for one in stages for reason, n in one.manifest.counts.reasons.items()}
    assert counted == reasons
    assert {reason for _, reason in counted} >= {"duplicate", "in_evaluation_set", "invalid_json", "secret"}


def test_reasons_stand_by_stage_with_the_most_frequent_first(stages):
    rows = [(row["stage"], -row["number"]) for row in rejections(stages)]
    order = ["collect", "clean", "label-topic"]
    assert rows == sorted(rows, key=lambda row: (order.index(row[0]), row[1]))


def test_samples_are_the_first_of_each_reason(stages):
    for row in rejections(stages):
        wanted = 0 if row["private"] else min(NUM_SAMPLES, row["number"])
        assert len(row["samples"]) == wanted, row["reason"]
        assert {sample["reason"] for sample in row["samples"]} <= {row["reason"]}
    (broken,) = [row for row in rejections(stages) if row["reason"] == "invalid_json"]
    assert broken["samples"][0]["place"] == r"feed <b>new \u202e.jsonl:16"
    assert broken["share"] == 1 / 56


def test_neither_a_secret_nor_personal_data_is_told(stages):
    told = json.dumps([rejections(stages), personal_data(stages), repairs(stages)])
    assert "QWERTYUIOP" not in told
    assert "example-company" not in told
    assert "<EMAIL>" in told


def test_personal_data_is_numbers_by_kind(stages):
    clean, labelled = personal_data(stages)
    assert (clean["stage"], clean["masked"]["email"], clean["placeholders"]["email"]) == ("clean", 1, 1)
    assert sum(labelled["masked"].values()) == 0
    assert clean["residue_share"] == 0.0


def test_repairs_are_by_kind_without_those_of_personal_data(stages):
    found = {(row["stage"], row["kind"]): row["number"] for row in repairs(stages)}
    assert found == {("clean", "bidi"): 1, ("clean", "control"): 1}


def test_tags_are_those_of_the_corpus(stages):
    assert tags(stages) == {"bidi": 1}


def test_columns_that_nothing_reads_are_named_and_masked(stages):
    assert unused_columns(stages[0]) == [
        {"source": "feed*.jsonl", "column": "url", "number": 15},
        {"source": "feed*.jsonl", "column": "<b><EMAIL>", "number": 1},
    ]


def test_a_stage_that_was_stopped_lost_nothing(stages):
    stopped = [stage.__class__(stage.name, None, None, None, None, None) for stage in stages]
    assert rejections(stopped) == repairs(stopped) == personal_data(stopped) == []
    assert tags(stopped) == {}
    assert unused_columns(stopped[0]) == []
