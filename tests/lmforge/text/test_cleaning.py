"""Clean: documents repaired, filtered and split, each counted once, with the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lmforge.artifacts.artifact import Counts
from lmforge.errors import IntegrityError
from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.text.cleaning import clean
from lmforge.text.normalizing import text_key
from lmforge.text.records import ShardWriter, scan
from lmforge.text.tables import RAW_SCHEMA

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
}


def _raw(directory: Path, texts: dict[str, str]) -> Path:
    with ShardWriter(directory, RAW_SCHEMA) as shards:
        for line, (name, text) in enumerate(texts.items(), 1):
            shards.write({"id": name, "text": text, "source": "a.jsonl", "line": line})
    return directory


def _clean(raw: Path, out: Path, **settings: Any) -> Counts:
    defaults: dict[str, Any] = {
        "cleaning": Cleaning(languages=("en",), max_words=100),
        "deduplication": Deduplication(),
        "evaluation_keys": frozenset({text_key("a sentence that stands in the test set as well.")}),
        "evaluation_ids": frozenset({"held out"}),
        "validation_share": 0.5,
    }
    return clean(raw, out, **{**defaults, **settings})


def test_every_document_is_counted_once_with_its_reason(tmp_path: Path) -> None:
    counts = _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    assert counts.reasons == {
        "duplicate": 1,
        "empty": 2,
        "in_evaluation_set": 2,
        "other_language": 1,
        "too_long": 1,
        "too_short": 1,
    }
    assert (counts.read, counts.kept, counts.repaired, counts.quarantined) == (11, 1, 2, 8)
    counts.check()


def test_kept_rows_are_repaired_and_measured(tmp_path: Path) -> None:
    _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    rows = {row["id"]: row for row in scan(tmp_path / "out").collect().to_dicts()}
    assert list(rows) == ["kept", "spaced", "mojibake"]
    assert rows["spaced"]["text"] == "Another sentence about\nthe weather in autumn."
    assert rows["mojibake"]["text"] == "The café serves its guests until late at night."
    assert [row["repaired"] for row in rows.values()] == [False, True, True]
    kept = rows["kept"]
    assert (kept["num_words"], kept["num_chars"], kept["language"]) == (8, len(TEXTS["kept"]), "en")
    assert (kept["source"], kept["line"]) == ("a.jsonl", 1)


def test_quarantine_names_each_document(tmp_path: Path) -> None:
    _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out")
    entries = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert {entry["detail"]: entry["reason"] for entry in entries} == {
        "twin": "duplicate",
        "short": "too_short",
        "blank": "empty",
        "invisible": "empty",
        "long": "too_long",
        "german": "other_language",
        "held out": "in_evaluation_set",
        "same text": "in_evaluation_set",
    }


def test_without_languages_none_is_identified(tmp_path: Path) -> None:
    _clean(_raw(tmp_path / "raw", TEXTS), tmp_path / "out", cleaning=Cleaning())
    frame = scan(tmp_path / "out").collect()
    assert "german" in frame["id"].to_list()
    assert set(frame["language"]) == {"und"}


def test_a_split_depends_on_the_id_alone(tmp_path: Path) -> None:
    many = {f"d{n}": f"Sentence number {n} about the weather in spring." for n in range(400)}
    few = {name: text + " Changed." for name, text in list(many.items())[::2]}
    splits = []
    for name, texts in (("many", many), ("few", few)):
        _clean(_raw(tmp_path / f"raw {name}", texts), tmp_path / name, validation_share=0.25, cleaning=Cleaning())
        splits.append(dict(scan(tmp_path / name).select("id", "split").collect().rows()))
    assert all(splits[0][name] == split for name, split in splits[1].items())
    assert sum(split == "validation" for split in splits[0].values()) == pytest.approx(100, abs=30)


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
    counts = _clean(_raw(tmp_path / "raw", {"blank": " "}), tmp_path / "out")
    assert counts.reasons == {"empty": 1}
    assert scan(tmp_path / "out").collect().height == 0


def test_a_missing_raw_corpus_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="no shard"):
        _clean(tmp_path / "nowhere", tmp_path / "out")
