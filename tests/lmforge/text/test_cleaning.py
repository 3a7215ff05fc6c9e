"""Clean: documents repaired, filtered and split, each counted once, with the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lmforge.artifacts.artifact import Counts
from lmforge.artifacts.store import Store
from lmforge.errors import InputError, IntegrityError
from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.recipe.data import Corpus
from lmforge.sharding import Workshop
from lmforge.sources.files import FilesSource
from lmforge.text.cleaning import clean
from lmforge.text.guarding import EvaluationSet
from lmforge.text.records import ShardWriter, scan
from lmforge.text.tables import RAW_SCHEMA

PHRASE = "it was a bright cold day in April and all the clocks were striking thirteen at once."
TWIN = (
    "The committee met on Tuesday in the old town hall to talk about the new bridge, the price of bread and the state "
    "of the roads, and after four hours of debate it decided to meet again on the following Thursday at the same place."
)
TEXTS = {
    "kept": "A plain sentence about the weather in spring.",
    "spaced": "Another  sentence about\n\nthe weather in autumn. ",
    "mojibake": "The cafÃ© serves its guests until late at night.",
    "twin": "A PLAIN sentence about the weather in spring.",
    "short": "Too short.",
    "blank": " \n ",
    "invisible": "\u200b\u202e",
    "long": "word " * 200,
    "german": "Der Ausschuss wird seinen Bericht über den Zustand der Straßen vorlegen.",
    "held out": "This sentence belongs to somebody and is evaluated.",
    "same text": "A sentence that stands in the test set as well.",
    "same run": f"Something else came first. {PHRASE}",
    "report": TWIN,
    "reprint": TWIN.replace("bread", "milk"),
    "leak": "The key of our storage is AKIA" + "QWERTYUIOPASDFGH and nobody should know it.",
    "mail": "Please write to jane.doe@company.com about the broken window.",
}


def _raw(directory: Path, texts: dict[str, str]) -> Path:
    columns = dict.fromkeys(RAW_SCHEMA.names)
    with ShardWriter(directory, RAW_SCHEMA) as shards:
        for line, (name, text) in enumerate(texts.items(), 1):
            shards.write(columns | {"id": name, "text": text, "source": "a.jsonl", "line": line})
    return directory


def _labelled(directory: Path) -> Path:
    """An artifact with an evaluation set: one example shares its id with the corpus, one its text, one a long run."""
    rows = [
        ("held out", "Another version of a sentence that was given before."),
        ("t1", "a sentence that stands in the test set as well."),
        ("t2", f"Introduction. {PHRASE} And a different end."),
    ]
    directory.mkdir()
    frame = pl.DataFrame(rows, schema=["id", "text"], orient="row").with_columns(group="id", label=pl.lit("x"))
    frame.write_parquet(directory / "test.parquet")
    frame.clear().write_parquet(directory / "validation.parquet")
    (directory / "manifest.json").write_text("{}")
    return directory


def _clean(raw: Path, out: Path, **settings: Any) -> tuple[Counts, dict[str, Any]]:
    cleaning = settings.pop("cleaning", Cleaning(languages=("en",), max_words=100))
    source = FilesSource(path="a.jsonl")
    corpus = Corpus(sources=(source,), cleaning=cleaning, **{"validation_share": 0.5, **settings})
    out.mkdir(exist_ok=True)
    labelled = out.parent / "labelled"
    evaluation = [EvaluationSet("reviews", labelled if labelled.exists() else _labelled(labelled))]
    return clean(raw, out, corpus, evaluation, Workshop(Store(out.parent / "store")))


def test_every_document_is_counted_once_with_its_reason(tmp_path: Path) -> None:
    counts, _ = _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    assert counts.reasons == {
        "duplicate": 1,
        "empty": 2,
        "in_evaluation_set": 3,
        "near_duplicate": 1,
        "other_language": 1,
        "secret": 1,
        "too_long": 1,
        "too_short": 1,
    }
    assert (counts.read, counts.kept, counts.repaired, counts.quarantined) == (16, 2, 3, 11)
    counts.check()


def test_kept_rows_are_repaired_and_measured(tmp_path: Path) -> None:
    _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    rows = {row["id"]: row for row in scan(tmp_path / "out").collect().to_dicts()}
    assert list(rows) == ["kept", "spaced", "mojibake", "report", "mail"]
    assert rows["spaced"]["text"] == "Another sentence about\nthe weather in autumn."
    assert rows["mojibake"]["text"] == "The café serves its guests until late at night."
    assert [row["repaired"] for row in rows.values()] == [False, True, True, False, True]
    assert rows["mail"]["text"] == "Please write to <EMAIL> about the broken window."
    kept = rows["kept"]
    assert (kept["num_words"], kept["num_chars"], kept["language"]) == (8, len(TEXTS["kept"]), "en")
    assert (kept["source"], kept["line"]) == ("a.jsonl", 1)


def test_quarantine_names_each_document(tmp_path: Path) -> None:
    _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    entries = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert {entry["detail"]: entry["reason"] for entry in entries} == {
        "twin: of kept": "duplicate",
        "reprint: of report": "near_duplicate",
        "leak: aws_access_key": "secret",
        "short": "too_short",
        "blank": "empty",
        "invisible": "empty",
        "long": "too_long",
        "german: de": "other_language",
        "held out: same id as held out of reviews": "in_evaluation_set",
        "same text: same text as t1 of reviews": "in_evaluation_set",
        "same run: 5 shared runs of words with t2 of reviews": "in_evaluation_set",
    }


def test_a_secret_is_nowhere_in_what_is_written(tmp_path: Path) -> None:
    _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    assert b"QWERTYUIOPASDFGH" not in (tmp_path / "out" / "quarantine.jsonl").read_bytes()
    assert not any("QWERTY" in text for text in scan(tmp_path / "out").collect()["text"])


def test_dropped_documents_name_the_kept_one(tmp_path: Path) -> None:
    _, facts = _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    table = pl.read_parquet(tmp_path / "out" / "duplicates.parquet")
    assert table.rows() == [("twin", "kept", "exact"), ("reprint", "report", "near")]
    assert (facts["num_exact_duplicates"], facts["num_near_duplicates"]) == (1, 1)


def test_overlaps_are_reported_from_both_sides(tmp_path: Path) -> None:
    _, facts = _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    assert facts["overlaps"] == {"reviews": {"num_documents": 3, "num_examples": 3}}
    overlaps = pl.read_parquet(tmp_path / "out" / "overlaps.parquet")
    assert overlaps.select("id", "evaluation_id", "by").rows() == [
        ("held out", "held out", "id"),
        ("same text", "t1", "text"),
        ("same run", "t2", "ngrams"),
    ]


def test_all_languages_are_kept_where_none_is_named(tmp_path: Path) -> None:
    _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out", cleaning=Cleaning())
    frame = scan(tmp_path / "out").collect()
    assert dict(frame.select("id", "language").rows())["german"] == "de"


def test_a_split_depends_on_the_text_alone(tmp_path: Path) -> None:
    many = {f"d{n}": f"Sentence number {n} about the weather in spring." for n in range(400)}
    few = {name: text.upper() for name, text in list(many.items())[::2]}
    splits = []
    for name, texts in (("many", many), ("few", few)):
        _clean(_raw(tmp_path / f"raw {name}", texts), tmp_path / name, validation_share=0.25, cleaning=Cleaning())
        splits.append(dict(scan(tmp_path / name).select("id", "split").collect().rows()))
    assert all(splits[0][name] == split for name, split in splits[1].items())
    assert sum(split == "validation" for split in splits[0].values()) == pytest.approx(100, abs=30)


def test_a_group_is_never_parted(tmp_path: Path) -> None:
    columns = dict.fromkeys(RAW_SCHEMA.names) | {"source": "a.jsonl", "line": 1}
    with ShardWriter(tmp_path / "raw", RAW_SCHEMA) as shards:
        for n in range(300):
            text = f"Sentence number {n} about the weather in spring."
            shards.write(columns | {"id": f"d{n}", "text": text, "group": f"g{n // 10}"})
    _clean(tmp_path / "raw", tmp_path / "out", validation_share=0.3, cleaning=Cleaning())
    splits = scan(tmp_path / "out").group_by("group").agg(pl.col("split").n_unique()).collect()
    assert set(splits["split"]) == {1}
    assert set(scan(tmp_path / "out").collect()["split"]) == {"train", "validation"}


def test_lines_of_many_documents_are_dropped(tmp_path: Path) -> None:
    imprint = "This page was printed by the office of the town."
    texts = {f"d{n}": f"A story of its own with the number {n} in it.\n{imprint}" for n in range(6)}
    cleaning = Cleaning(boilerplate_min_documents=5)
    _, facts = _clean(_raw(tmp_path / "raw", texts), tmp_path / "out", cleaning=cleaning)
    assert not any(imprint in text for text in scan(tmp_path / "out").collect()["text"])
    assert facts["repairs"]["boilerplate_lines"] == 6


def test_a_corpus_of_one_text_stops(tmp_path: Path) -> None:
    raw = _raw(tmp_path / "raw", {f"d{n}": "The same sentence again and again." for n in range(100)})
    with pytest.raises(InputError, match="after de-duplication 1 of 100 documents are left"):
        _clean(raw, tmp_path / "out")


@pytest.mark.parametrize("deduplication", [Deduplication(near=False), Deduplication(exact=False, near=False)])
def test_de_duplication_can_be_switched_off(tmp_path: Path, deduplication: Deduplication) -> None:
    counts, _ = _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out", deduplication=deduplication)
    assert "near_duplicate" not in counts.reasons
    assert ("duplicate" in counts.reasons) is deduplication.exact


def test_the_cut_into_shards_changes_no_decision(tmp_path: Path) -> None:
    names = list(TEXTS)
    raw = _raw(tmp_path / "raw", TEXTS)
    for number, part in enumerate((names[:4], names[4:9], names[9:])):
        one = _raw(tmp_path / "parts" / str(number), {name: TEXTS[name] for name in part})
        (one / "part-00000.parquet").rename(tmp_path / "parts" / f"part-{number:05d}.parquet")
    whole, parts = (_clean(place, tmp_path / f"out {place.name}") for place in (raw, tmp_path / "parts"))
    assert whole == parts
    frames = [scan(tmp_path / f"out {name}").select("id", "text", "split").collect() for name in ("raw", "parts")]
    assert frames[0].equals(frames[1])


@pytest.mark.parametrize(("share", "split"), [(0.0, "train"), (1.0, "validation")])
def test_the_ends_of_the_share(tmp_path: Path, share: float, split: str) -> None:
    _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out", validation_share=share)
    assert set(scan(tmp_path / "out").collect()["split"]) == {split}


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    raw = _raw(tmp_path / "raw", TEXTS)
    for name in ("one", "two"):
        _clean(raw, tmp_path / name)
    for name in ("part-00000.parquet", "quarantine.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_nothing_left_is_an_empty_corpus_that_can_be_read(tmp_path: Path) -> None:
    counts, _ = _clean(_raw(tmp_path / "raw", {"blank": " "}), tmp_path / "out")
    assert counts.reasons == {"empty": 1}
    assert scan(tmp_path / "out").collect().height == 0


def test_a_missing_raw_corpus_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="no shard"):
        _clean(tmp_path / "nowhere", tmp_path / "out")
