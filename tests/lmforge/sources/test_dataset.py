"""Hugging Face datasets on disk: which Arrow files they are, and their rows as records."""

import json

import pytest
from datasets import Dataset, DatasetDict

from lmforge.errors import InputError
from lmforge.sources.dataset import DatasetSource
from lmforge.text.records import Record

ROWS = {"name": ["a", "b", "c", "d"], "body": ["one text", None, "three", "vier"], "stars": [1, 2, 3, 4]}


@pytest.fixture
def root(tmp_path):
    whole = Dataset.from_dict(ROWS)
    whole.save_to_disk(tmp_path / "plain")
    whole.select([3, 0]).save_to_disk(tmp_path / "chosen")
    whole.save_to_disk(tmp_path / "sharded", num_shards=2)
    DatasetDict({"train": whole.select(range(2)), "test": whole.select(range(2, 4))}).save_to_disk(tmp_path / "parts")
    return tmp_path


def source(path, **changes):
    return DatasetSource(**{"kind": "dataset", "path": path, "text": "body", "id": "name"} | changes)


def items(root, chosen):
    return [item for path in chosen.files(root) for item in chosen.read(path, chosen.name_of(path, root))]


def ids(root, chosen):
    return [item.id for item in items(root, chosen) if isinstance(item, Record)]


def test_rows_become_records_and_empty_ones_are_rejected(root):
    first, empty, third, _ = items(root, source("plain", group="stars"))
    name = "plain/data-00000-of-00001.arrow"
    assert first == Record("one text", name, 1, "a", group="1")
    assert {item.unused for item in items(root, source("plain")) if isinstance(item, Record)} == {("stars",)}
    assert (empty.reason, empty.source, empty.line) == ("missing_text", name, 2)
    assert third.line == 3


def test_splits_shards_and_selections_are_read_in_their_order(root):
    assert ids(root, source("parts", split="test")) == ["c", "d"]
    assert ids(root, source("chosen/")) == ["d", "a"]
    assert [path.name for path in source("sharded").files(root)] == [
        "data-00000-of-00002.arrow",
        "data-00001-of-00002.arrow",
    ]
    assert ids(root, source("sharded")) == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (source("parts", split="tset"), "no split tset; it has train, test; did you mean test"),
        (source("plain", text="boddy"), "did you mean 'body' for 'boddy'"),
        (source("plain", text="stars"), "holds int64, not strings"),
        (source("plain/state.json"), "not a dataset directory"),
        (source("nowhere"), "not a dataset directory"),
        (source("../elsewhere"), "outside of the project"),
    ],
)
def test_what_cannot_be_read_says_why(root, wrong, words):
    with pytest.raises(InputError, match=words):
        items(root, wrong)


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "a/b.arrow", 3, None])
def test_a_dataset_cannot_name_files_elsewhere(root, name):
    state = {"_data_files": [{"filename": name}]}
    (root / "plain" / "state.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="names no files beside it"):
        source("plain").files(root)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "[]", '{"_data_files": 3}', "\xff"])
def test_a_broken_state_stops(root, content):
    (root / "plain" / "state.json").write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=r"write it with Dataset\.save_to_disk"):
        source("plain").files(root)


def test_a_missing_arrow_file_stops(root):
    (root / "sharded" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(InputError, match="no file matches"):
        source("sharded").files(root)
