"""Mixes, lengths, labels and tokens of real artifacts."""

import pytest

from lmforge.reporting.data_report_mixes import MISSING, NUM_NAMES, labels, lengths, mixes, tokens
from lmforge.reporting.data_report_stages import DataStage, read_stages


@pytest.fixture
def stages(data_run):
    return {stage.name: stage for stage in read_stages(data_run.made, data_run.reports)}


def profiled(**mix):
    return DataStage(
        "collect", None, None, {name: {"other": 0, "missing": 0, **one} for name, one in mix.items()}, None, None
    )


def test_documents_by_source_before_and_after_cleaning(stages):
    found = mixes(stages["collect"], stages["clean"])
    assert found["sources"] == [
        {"name": "feed-1.jsonl", "collected": 40, "clean": 13},
        {"name": r"feed <b>new \u202e.jsonl", "collected": 15, "clean": 6},
    ]
    assert found["licenses"] == [{"name": r"CC0 <i>\x1b[31m", "collected": 55, "clean": 19}]
    assert found["languages"][0] == {"name": MISSING, "collected": 55, "clean": 0}
    assert {"name": "en", "collected": 0, "clean": 19} in found["languages"]


def test_rare_values_are_counted_together():
    counts = {f"s{n:02}": 100 - n for n in range(NUM_NAMES + 3)}
    rows = mixes(profiled(sources={"counts": counts, "other": 5}), None)["sources"]
    assert len(rows) == NUM_NAMES + 1
    assert rows[-1] == {"name": "all others", "collected": 5 + sum(sorted(counts.values())[:3]), "clean": 0}
    assert sum(row["collected"] for row in rows) == sum(counts.values()) + 5


def test_a_property_that_no_document_has_is_left_out():
    assert mixes(profiled(origins={"counts": {}, "missing": 9}), None) == {}
    assert mixes(DataStage("collect", None, None, None, None, None), None) == {}


def test_lengths_of_each_table_and_split_cover_all_of_its_texts(stages):
    found = {one["name"]: one for one in lengths(list(stages.values()))}
    assert list(found) == [
        "collect", "clean", "clean, train", "clean, validation", "label-topic", "label-topic, train",
        "label-topic, validation", "label-topic, test",
    ]  # fmt: skip
    assert sum(found["collect"]["counts"]) == 55
    parts = zip(found["clean, train"]["counts"], found["clean, validation"]["counts"], strict=True)
    assert [one + other for one, other in parts] == found["clean"]["counts"]
    assert sum(found["label-topic, test"]["counts"]) == stages["label-topic"].manifest.facts["num_test"]


def test_the_earlier_lengths_are_those_of_the_accepted_run(stages, data_run):
    found = {one["name"]: one for one in lengths(list(stages.values()))}
    assert sum(found["collect"]["then"]) == 31
    assert found["label-topic"]["then"] is None


def test_labels_are_counted_by_split(stages):
    (found,) = labels([stages["label-topic"]])
    facts = stages["label-topic"].manifest.facts
    assert (found["train"], found["validation"], found["test"]) == tuple(
        facts[f"num_{split}"] for split in ("train", "validation", "test")
    )
    assert {row["label"] for row in found["labels"]} == {"<img src=x>", "plain"}
    assert sum(row["train"] for row in found["labels"]) == found["train"]
    assert (found["num_labels"], found["test_digest"]) == (2, facts["test_digest"])


def test_tokens_say_what_they_cost(stages):
    found = tokens(stages["tokenize"])
    facts = stages["tokenize"].manifest.facts
    assert found["tokens_per_word"] == facts["num_tokens"] / facts["num_words"]
    assert found["vocab_size"] == 300
    assert found["unknown_share"] == 0.0
    assert set(found["tokens_per_word_by_language"]) == {"en"}
