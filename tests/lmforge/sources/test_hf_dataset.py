"""Hugging Face datasets on disk as a source, driven through collect."""

import json

import pytest
from datasets import Dataset, DatasetDict

from lmforge.errors import InputError
from lmforge.paths import expand
from lmforge.recipe.data import DatasetSource
from lmforge.sources.collecting import collect
from lmforge.text.records import scan

ROWS = {"name": ["a", "b", "c", "d"], "body": ["one text", None, "three", "vier"], "stars": [1, 2, 3, 4]}


@pytest.fixture
def root(tmp_path):
    whole = Dataset.from_dict(ROWS)
    whole.save_to_disk(tmp_path / "plain")
    DatasetDict({"train": whole.select(range(2)), "test": whole.select(range(2, 4))}).save_to_disk(tmp_path / "parts")
    return tmp_path


def source(path, **changes):
    return DatasetSource(kind="dataset", path=path, text="body", id="name", **changes)


def test_rows_become_records_and_empty_ones_are_quarantined(root):
    counts = collect([source("plain")], root / "out", root=root)
    assert (counts.read, counts.kept, counts.reasons) == (4, 3, {"missing_text": 1})
    rows = scan(root / "out").collect().to_dicts()
    assert rows[1] == {"id": "c", "text": "three", "source": "plain", "line": 3}
    (rejected,) = (root / "out" / "quarantine.jsonl").read_text().splitlines()
    assert (json.loads(rejected)["source"], json.loads(rejected)["line"]) == ("plain", 2)


def test_a_split_is_chosen_by_name(root):
    collect([source("parts", split="test")], root / "out", root=root)
    assert scan(root / "out").collect()["id"].to_list() == ["c", "d"]


def test_every_file_of_the_directory_counts_as_input(root):
    names = {path.name for path in expand(root, source("parts").pattern)}
    assert {"dataset_dict.json", "state.json"} <= names
    assert any(name.endswith(".arrow") for name in names)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (source("parts", split="tset"), r"no split tset; it has .*test.*did you mean test"),
        (DatasetSource(kind="dataset", path="plain", text="boddy"), "did you mean 'body' for 'boddy'"),
        (source("plain/state.json"), "not a dataset directory"),
        (DatasetSource(kind="dataset", path="plain", text="stars"), "refused as not_a_string"),
    ],
)
def test_what_cannot_be_read_says_why(root, wrong, words):
    with pytest.raises(InputError, match=words):
        collect([wrong], root / "out", root=root)
