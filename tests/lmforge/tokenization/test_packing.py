"""Blocks come back as they were written, and nothing that is no such file, or of another tokenizer, is trained on."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.errors import InputError, IntegrityError
from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.encoding import DTYPE, Encoded, encode
from lmforge.tokenization.packing import document_file, read_blocks, write_blocks, write_origin
from lmforge.tokenization.tokenizer import load_tokenizer, train_tokenizer


@pytest.fixture
def place(training_data, tmp_path):
    """Blocks with their tokenizer, to be damaged."""
    shutil.copytree(training_data, tmp_path / "data")
    return tmp_path / "data"


@given(
    st.lists(st.lists(st.lists(st.integers(0, 65_535), max_size=9), max_size=5), max_size=5),
    st.integers(1, 12),
)
@settings(max_examples=60, deadline=None)
def test_blocks_are_the_stream_cut_at_equal_lengths(tmp_path_factory, parts, block_length):
    path = tmp_path_factory.mktemp("blocks") / "train.npy"
    encoded = [
        Encoded(
            np.array([number for document in part for number in document], dtype=DTYPE),
            np.array([len(document) for document in part], dtype=np.int64),
        )
        for part in parts
    ]
    stream = [number for part in parts for document in part for number in document]
    num_blocks = write_blocks(path, encoded, block_length)
    blocks = read_blocks(path)
    assert blocks.shape == (num_blocks, block_length) == (len(stream) // block_length, block_length)
    assert blocks.reshape(-1).tolist() == stream[: num_blocks * block_length]
    ends = np.cumsum([0, *(len(document) for part in parts for document in part)])
    assert np.load(document_file(path)).tolist() == ends[ends <= num_blocks * block_length].tolist()


def test_ids_may_lie_on_disk(tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(10, dtype=np.uint16))
    ids = np.load(tmp_path / "ids.npy", mmap_mode="r")
    assert write_blocks(tmp_path / "train.npy", [Encoded(ids, np.array([4, 6]))] * 2, 6) == 3
    assert read_blocks(tmp_path / "train.npy")[1].tolist() == [6, 7, 8, 9, 0, 1]


def test_ids_that_are_not_those_of_the_documents_are_a_mistake(tmp_path):
    for ids, lengths in ((np.arange(4, dtype=np.int64), [4]), (np.arange(4, dtype=DTYPE), [3])):
        with pytest.raises(AssertionError, match="no ids of these documents"):
            write_blocks(tmp_path / "train.npy", [Encoded(ids, np.array(lengths))], 2)


def test_own_tokenizer_and_its_copies_are_accepted(place, tmp_path):
    blocks = read_blocks(place / "train.npy", place / "tokenizer")
    assert int(blocks.max()) < 600
    # As transformers saves a tokenizer with a model.
    content = json.loads((place / "tokenizer" / "tokenizer.json").read_text())
    (tmp_path / "model").mkdir()
    cut = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    saved = content | {"truncation": cut}
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps(saved))
    assert (read_blocks(place / "train.npy", tmp_path / "model") == blocks).all()


def test_blocks_of_another_tokenizer_are_refused(place, descriptions, tmp_path):
    train_tokenizer([row["description"] for row in descriptions], Tokenizer(vocab_size=600), 32, tmp_path / "other")
    with pytest.raises(InputError, match=r"train\.npy: made with another tokenizer \(\w{16}\) than that of .*other"):
        read_blocks(place / "train.npy", tmp_path / "other")
    (place / "tokens.json").unlink()
    with pytest.raises(InputError, match="nobody knows which tokenizer made the blocks; tokenize again"):
        read_blocks(place / "train.npy", place / "tokenizer")


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"tokenizer": 1}', "\x00"])
def test_broken_note_of_origin_is_named(place, content):
    (place / "tokens.json").write_text(content)
    with pytest.raises(IntegrityError, match=r"tokens\.json: not what the stage tokenize writes"):
        read_blocks(place / "train.npy", place / "tokenizer")


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((4, 32), dtype=">u2"), "holds >u2"),
        (np.zeros((4, 32), dtype=np.int16), "holds int16"),
        (np.zeros((4, 32), dtype=np.uint64), "holds uint64"),
        (np.zeros((4, 32), dtype=np.float64), "holds float64"),
        (np.zeros(128, dtype=np.uint16), r"holds uint16 \(128,\)"),
        (np.zeros((2, 2, 32), dtype=np.uint16), r"holds uint16 \(2, 2, 32\)"),
        (np.asfortranarray(np.zeros((4, 32), dtype=np.uint16)), r"holds uint16 \(4, 32\), not little-endian"),
        (np.array([["a"]], dtype=object), "not readable as token blocks"),
    ],
)
def test_arrays_of_another_kind_are_refused(tmp_path, array, found):
    np.save(tmp_path / "train.npy", array, allow_pickle=True)
    with pytest.raises(IntegrityError, match=rf"train\.npy: {found}"):
        read_blocks(tmp_path / "train.npy")


def test_id_beyond_the_vocabulary_is_refused(place):
    blocks = np.array(read_blocks(place / "train.npy"))
    blocks[-1, -1] = 600
    np.save(place / "train.npy", blocks)
    with pytest.raises(IntegrityError, match="id 600 in it, though the vocabulary has 600"):
        read_blocks(place / "train.npy", place / "tokenizer")


def test_blocks_of_another_length_are_refused(place):
    np.save(place / "train.npy", np.zeros((4, 16), dtype=np.uint16))
    with pytest.raises(IntegrityError, match="blocks of 16 tokens, 32 expected"):
        read_blocks(place / "train.npy", place / "tokenizer")


@pytest.mark.parametrize("keep", [0, 1, 64, 0.5, -1])
def test_truncated_file_is_refused(place, keep):
    content = (place / "train.npy").read_bytes()
    (place / "train.npy").write_bytes(content[: int(len(content) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(IntegrityError, match=r"train\.npy"):
        read_blocks(place / "train.npy")


def test_longer_file_and_archive_are_refused(place, tmp_path):
    with (place / "train.npy").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(IntegrityError, match=r"\d+ bytes found, \d+ expected"):
        read_blocks(place / "train.npy")
    np.savez(tmp_path / "train.npz", np.zeros((1, 2), dtype=np.uint16))
    (tmp_path / "train.npz").rename(tmp_path / "train.npy")
    with pytest.raises(IntegrityError, match="holds NpzFile"):
        read_blocks(tmp_path / "train.npy")
    with pytest.raises(IntegrityError, match="not readable as token blocks"):
        read_blocks(tmp_path / "nothing.npy")


def test_altered_header_is_refused_or_leaves_the_blocks(tmp_path):
    path = tmp_path / "train.npy"
    write_blocks(path, [Encoded(np.arange(60, dtype=DTYPE), np.array([60]))], 6)
    content, expected = path.read_bytes(), np.array(read_blocks(path))
    rng = random.Random(3)
    refused = 0
    for _ in range(300):
        altered = bytearray(content)
        position = rng.randrange(128)
        altered[position] ^= 1 << rng.randrange(8)
        path.write_bytes(altered)
        try:
            blocks = read_blocks(path)
        except IntegrityError:
            refused += 1
        else:
            assert (blocks.reshape(-1) == expected.reshape(-1)).all()
    assert refused > 200


def test_origin_says_what_the_blocks_are(training_data, tmp_path):
    tokenizer = load_tokenizer(training_data / "tokenizer")
    write_blocks(tmp_path / "train.npy", [encode(tokenizer, ["one small text"] * 9)], 8)
    write_origin(tmp_path, training_data / "tokenizer", 8)
    origin = json.loads((tmp_path / "tokens.json").read_text())
    assert (origin["vocab_size"], origin["block_length"], len(origin["tokenizer"])) == (600, 8, 64)
    assert len(read_blocks(tmp_path / "train.npy", training_data / "tokenizer"))
