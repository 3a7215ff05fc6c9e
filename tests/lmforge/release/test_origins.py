"""Sources are named with their readers; documents are those that weights were learned from, verified first."""

import shutil

import pytest

from lmforge.artifacts import Store
from lmforge.errors import IntegrityError
from lmforge.release.origins import documents, source_files
from tests.lmforge.release.chain import follow, make_chain


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def made(store):
    return make_chain(store)


def test_sources_are_named_with_hash_readers_and_what_collect_wrote_down(store, made):
    rows = {row["name"]: row for row in source_files(follow(store, made))}
    assert list(rows) == ["data/labels.csv", "downloads/a", "start:config.json"]
    assert rows["data/labels.csv"]["stages"] == ["label-own", "label-other"]
    assert rows["data/labels.csv"]["collected"] is None
    # A download is known to collect by its address, and to the manifest by its place; the hash joins them.
    assert rows["downloads/a"]["collected"]["name"] == "https://example.org/a"
    assert {name: row["kind"] for name, row in rows.items()} == {
        "data/labels.csv": "file", "downloads/a": "file", "start:config.json": "given",
    }  # fmt: skip


def test_documents_are_those_that_weights_were_learned_from(store, made):
    rows = list(documents(follow(store, made)))
    assert rows == [
        {"stage": "label-own", "id": "own-1"},
        {"stage": "label-own", "id": "own-2"},
        {"stage": "clean", "id": "d1", "source": "a"},
    ]


def test_a_damaged_artifact_lists_no_documents(store, made):
    stages = follow(store, made)
    path = made["label-own"].path / "train.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match=r"train\.parquet"):
        documents(stages)


def test_documents_of_an_artifact_that_is_gone_are_refused(store, made):
    shutil.rmtree(made["label-own"].path)
    with pytest.raises(IntegrityError, match="label-own: no longer in the store"):
        documents(follow(store, made))
