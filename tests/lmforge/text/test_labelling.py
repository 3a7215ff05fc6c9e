"""Label: from files to frozen splits with counts, a digest that follows content, and the guard for the corpus."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from lmforge.errors import InputError
from lmforge.hashing import hash_value
from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.recipe.data import LabelledData
from lmforge.text.labelling import LABELLED_SCHEMA, LabelledFacts, label, label_table
from lmforge.text.normalizing import text_key

DATA = LabelledData(path="data.jsonl", text="body", label="stars", id="key", group="author", max_words=50)
# The texts here differ in a number only.
NEAR_OFF = Deduplication(near=False)
GOOD = [
    {"key": n, "body": f"Review  number {n} of the product.", "stars": n % 3, "author": f"a{n // 2}"}
    for n in range(300)
]
BAD = [
    {"key": 900, "body": "no label here"},
    {"key": 901, "body": "  ", "stars": 1},
    {"key": 902, "body": "word " * 60, "stars": 1},
    {"key": 903, "body": "Review number 1 of the PRODUCT.", "stars": 1},
    {"key": 0, "body": "an id again", "stars": 1},
    {"key": 904, "stars": 1},
]


def _label(
    root: Path, rows: list[dict], out: str = "out", data: LabelledData = DATA, **cleaning: object
) -> LabelledFacts:
    (root / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return label(data, root / out, root=root, cleaning=Cleaning(**cleaning), deduplication=NEAR_OFF)  # type: ignore[arg-type]


def test_every_example_is_counted_once(tmp_path: Path) -> None:
    counts = _label(tmp_path, [*GOOD, *BAD]).counts
    assert counts.reasons == {
        "duplicate": 1,
        "duplicate_id": 1,
        "empty": 1,
        "missing_label": 1,
        "missing_text": 1,
        "too_long": 1,
    }
    # The double space of each good text is repaired.
    assert (counts.read, counts.kept, counts.repaired, counts.quarantined) == (306, 0, 300, 6)
    assert counts.unit == "examples"
    assert len((tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()) == 6


def test_files_hold_the_splits(tmp_path: Path) -> None:
    facts = _label(tmp_path, GOOD).facts
    frames = {name: pl.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in ("train", "validation", "test")}
    assert {name: frame.height for name, frame in frames.items()} == {
        name: facts[f"num_{name}"] for name in ("train", "validation", "test")
    }
    assert all(frame.columns == LABELLED_SCHEMA.names for frame in frames.values())
    whole = pl.concat(frames.values())
    assert sorted(whole["id"].cast(int)) == list(range(300))
    assert set(whole["group"]) == {f"a{n}" for n in range(150)}
    assert whole.filter(pl.col("id") == "7")["text"].to_list() == ["Review number 7 of the product."]
    assert json.loads((tmp_path / "out" / "labels.json").read_text()) == facts["labels"] == ["0", "1", "2"]


def test_labels_are_counted_by_split_and_told_with_the_rarest_first(tmp_path: Path) -> None:
    facts = _label(tmp_path, GOOD[::7] + GOOD[1::3]).facts
    splits = [pl.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in ("train", "validation", "test")]
    assert facts["label_counts"] == {
        name: [int((split["label"] == name).sum()) for split in splits] for name in facts["labels"]
    }
    assert (
        label_table({"b": [90, 9, 8], "a": [900, 2, 9]}) == "train + validation + test of a: 900 + 2 + 9; b: 90 + 9 + 8"
    )


def test_the_digest_follows_the_content_of_the_test_split(tmp_path: Path) -> None:
    facts = _label(tmp_path, GOOD).facts
    test = pl.read_parquet(tmp_path / "out" / "test.parquet")
    rows = [[row["id"], text_key(row["text"]), row["label"]] for row in test.to_dicts()]
    assert facts["test_digest"] == hash_value(sorted(rows))
    assert _label(tmp_path, GOOD[::-1], "reversed").facts["test_digest"] == facts["test_digest"]
    changed = [{**row, "stars": 2 - row["stars"]} for row in GOOD]
    assert _label(tmp_path, changed, "changed").facts["test_digest"] != facts["test_digest"]


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _label(tmp_path, [*GOOD, *BAD], name)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["labels.json", "quarantine.jsonl", "test.parquet", "train.parquet", "validation.parquet"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_without_id_and_group_a_record_is_named_by_its_place(tmp_path: Path) -> None:
    data = LabelledData(path="data.jsonl", text="body", label="stars")
    _label(tmp_path, GOOD, data=data)
    test = pl.read_parquet(tmp_path / "out" / "test.parquet")
    assert all(name.startswith("data.jsonl:") for name in test["id"])
    assert test["id"].equals(test["group"].alias("id"))


def test_other_languages_go_as_from_the_corpus(tmp_path: Path) -> None:
    german = {"key": 900, "body": "Der Ausschuss wird seinen Bericht über die Straßen vorlegen.", "stars": 1}
    assert _label(tmp_path, [*GOOD, german], languages=("en",)).counts.reasons == {"other_language": 1}
    assert _label(tmp_path, [*GOOD, german], "all").counts.reasons == {}


def _three(root: Path) -> LabelledData:
    for name, rows in {"train": GOOD[:200], "validation": GOOD[190:250], "test": GOOD[240:]}.items():
        (root / f"{name}.csv").write_text("text,label\n" + "".join(f"{row['body']},{row['stars']}\n" for row in rows))
    return LabelledData(train="train.csv", validation="validation.csv", test="test.csv")


def test_three_files_keep_their_splits_without_leaks(tmp_path: Path) -> None:
    made = label(_three(tmp_path), tmp_path / "out", root=tmp_path, cleaning=Cleaning(), deduplication=NEAR_OFF)
    assert made.counts.reasons == {"in_evaluation_set": 20}
    assert [made.facts[f"num_{name}"] for name in ("train", "validation", "test")] == [190, 50, 60]
    ids = pl.read_parquet(tmp_path / "out" / "test.parquet")["id"]
    assert ids[0] == "test.csv:2"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**row, "stars": "good"} for row in GOOD], "labelled good; a classifier needs two"),
        ([*GOOD, {"key": "x", "body": "a text", "stars": "1 "}], "differ in case or space only"),
        ([{"key": 1, "body": "a text", "author": "a", "rating": 1}], "no field stars"),
        ([], r"0 records in data\.jsonl"),
    ],
)
def test_data_that_cannot_teach_stops(tmp_path: Path, rows: list[dict], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _label(tmp_path, rows)


SLICED = LabelledData(path="data.jsonl", text="body", label="stars", id="key", slices=("source", "language", "date"))


def _sliced(root: Path, rows: list[dict], **changes: object) -> pl.DataFrame:
    _label(root, rows, data=SLICED.model_copy(update=changes))
    assert pl.read_parquet(root / "out" / "train.parquet").columns == LABELLED_SCHEMA.names
    return pl.read_parquet(root / "out" / "test.parquet")


def test_named_fields_come_with_the_test_examples_as_slices(tmp_path: Path) -> None:
    rows = [{**row, "source": ["web", "mail", None][row["key"] % 3], "date": "2026-03-01"} for row in GOOD]
    test = _sliced(tmp_path, rows)
    assert test.columns == [*LABELLED_SCHEMA.names, "slice_source", "slice_language", "slice_date"]
    expected = [["web", "mail", "(none)"][int(name) % 3] for name in test["id"]]
    assert test["slice_source"].to_list() == expected
    assert test["slice_date"].unique().to_list() == ["2026-03"]
    # No field gives the language.
    assert test["slice_language"].unique().to_list() == ["en"]


def test_slices_change_no_digest(tmp_path: Path) -> None:
    rows = [{**row, "source": "web", "date": None} for row in GOOD]
    plain = SLICED.model_copy(update={"slices": ()})
    facts = [_label(tmp_path, rows, data=data).facts for data in (SLICED, plain)]
    assert facts[0] == facts[1]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_given_language_goes_before_the_recognised_one(tmp_path: Path, kind: str) -> None:
    rows = [{**row, "source": "web", "date": None, "language": "de" if row["key"] % 2 else None} for row in GOOD]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    path = tmp_path / f"given.{kind}"
    {"jsonl": frame.write_ndjson, "csv": frame.write_csv, "parquet": frame.write_parquet}[kind](path)
    test = _sliced(tmp_path, GOOD, path=path.name)
    assert test["slice_language"].to_list() == ["de" if int(name) % 2 else "en" for name in test["id"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sauce": "web"}, "no field source; found .*did you mean 'sauce' for 'source'"),
        ({"source": ["web"]}, r"data.jsonl:1: a field in `slices` holds a list, \['web'\]; name fields of text"),
    ],
)
def test_a_slice_that_is_no_value_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _sliced(tmp_path, [{**row, "date": None, **change} for row in GOOD])
