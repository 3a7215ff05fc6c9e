"""Records drawn by a seed: which, and that nothing private or unprintable is among them."""

import json

import polars as pl
import pytest

from lmforge.errors import InputError
from lmforge.reporting.peeking import peek

STAGES = ("collect", "clean", "label-topic", "tokenize")


def test_raw_records_name_their_place_and_provenance(data_run):
    found = peek("collect", data_run.made, 100, 0)
    assert (found["stage"], found["num_records"], len(found["records"])) == ("collect", 55, 55)
    assert [record["id"] for record in found["records"]][-3:] == ["a37", "a38", "a39"]
    script = next(record for record in found["records"] if record["id"] == "<script>alert(1)</script>")
    assert script["place"] == r"feed <b>new \u202e.jsonl:1"
    assert script["license"] == r"CC0 <i>\x1b[31m"


@pytest.mark.parametrize("stage", STAGES)
def test_a_seed_draws_the_same_records_and_another_seed_others(data_run, stage):
    assert peek(stage, data_run.made, 2, 3) == peek(stage, data_run.made, 2, 3)
    drawn = {json.dumps({**peek(stage, data_run.made, 2, seed), "seed": 0}) for seed in range(8)}
    assert len(drawn) > 3


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_private_or_unprintable_is_shown(data_run, stage):
    def texts(value):
        if isinstance(value, dict):
            return [text for one in value.values() for text in texts(one)]
        if isinstance(value, list):
            return [text for one in value for text in texts(one)]
        return [value] if isinstance(value, str) else []

    told = texts(peek(stage, data_run.made, 100, 0))
    assert told
    assert all(text.isprintable() for text in told)
    assert not any("QWERTYUIOP" in text or "example-company" in text for text in told)


def test_a_changed_record_stands_before_and_after(data_run):
    found = peek("clean", data_run.made, 100, 0)
    changed = {record["id"]: record for record in found["changed"]}
    assert found["num_changed"] == len(changed) == 3
    ansi = changed["ansi"]
    assert ansi["before"].startswith(r"A \x1b[31mred word")
    assert ansi["after"].startswith("A red word")
    mail = changed["<EMAIL>"]
    assert mail["masked"] == {"email": 1}
    assert mail["before"] == mail["after"] == "Please write to <EMAIL> about the broken window upstairs."


def test_a_difference_far_inside_a_long_text_is_in_sight(data_run, tmp_path):
    head = "The same words again and again. " * 100
    raw, cleaned = tmp_path / "raw", tmp_path / "clean"
    for place, text in ((raw, f"{head}Then\ta tab."), (cleaned, f"{head}Then a tab.")):
        place.mkdir()
        row = {"id": "x", "text": text, "source": "a", "line": 1, "language": "en", "split": "train", "repaired": True}
        pl.DataFrame([row]).write_parquet(place / "part-00000.parquet")
    (cleaned / "manifest.json").write_text((data_run.made["clean"].path / "manifest.json").read_text())
    artifacts = {"collect": raw, "clean": cleaned}
    made = {name: data_run.made[name].model_copy(update={"path": path}) for name, path in artifacts.items()}
    (record,) = peek("clean", made, 1, 0)["changed"]
    assert record["before"].endswith(r"Then\ta tab.")
    assert record["before"].startswith("...")
    assert len(record["after"]) < 60


def test_rejected_records_say_why(data_run):
    found = peek("clean", data_run.made, 100, 0)
    assert found["num_rejected"] == len(found["rejected"]) == 36
    by_reason = {record["reason"]: record for record in found["rejected"]}
    assert by_reason["secret"]["excerpt"] == ""
    assert by_reason["secret"]["detail"] == "leak: aws_access_key"
    assert by_reason["too_short"]["excerpt"] == "Too short"


def test_labelled_records_know_their_split(data_run):
    found = peek("label", data_run.made, 100, 0)
    assert found["stage"] == "label-topic"
    assert len(found["records"]) == found["num_records"] == 40
    splits = {record["id"]: record["split"] for record in found["records"]}
    for split in ("train", "validation", "test"):
        ids = pl.read_parquet(data_run.made["label-topic"].path / f"{split}.parquet")["id"]
        assert {splits[one] for one in ids} == {split}


def test_tokens_and_ids_belong_to_the_text(data_run):
    from lmforge.tokenization.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(data_run.made["tokenize"].path / "tokenizer")
    for record in peek("tokenize", data_run.made, 5, 0)["records"]:
        assert record["tokens"][0] == "[CLS]"
        assert len(record["tokens"]) == len(record["ids"]) == min(40, record["num_tokens"])
        assert tokenizer.decode(record["ids"]).strip() in record["text"]


@pytest.mark.parametrize(
    ("stage", "hint"),
    [("claen", "did you mean clean"), ("zzz", "its stages: label-topic, collect"), ("pretrain", "no data stage")],
)
def test_an_unknown_stage_is_refused_with_the_nearest(data_run, stage, hint):
    with pytest.raises(InputError, match=hint):
        peek(stage, data_run.made, 1, 0)


def test_cleaning_without_its_raw_corpus_cannot_be_shown(data_run):
    with pytest.raises(InputError, match="records of clean are shown beside those of collect"):
        peek("clean", {"clean": data_run.made["clean"]}, 1, 0)


def test_of_several_tasks_one_has_to_be_named(data_run):
    made = data_run.made | {"label-other": data_run.made["label-topic"]}
    with pytest.raises(InputError, match="label-topic"):
        peek("label", made, 1, 0)
    assert peek("label-other", made, 1, 0)["num_records"] == 40
