"""Rows of pieces come back as the documents that were encoded, quickly and in any choice."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lmforge.errors import InputError
from lmforge.tokenization.encoding import DTYPE, Encoded
from lmforge.tokenization.packing import document_file, read_blocks, write_blocks
from lmforge.tokenization.tokenizer import CLS, PAD
from lmforge.training.packed_rows import MIN_PIECE_TOKENS, PackedRows, PieceRows

LENGTH = 32


@pytest.fixture
def rows(training_data):
    return PackedRows(training_data / "train.npy", training_data / "tokenizer")


@pytest.fixture
def documents(training_data):
    ends, stream = np.load(document_file(training_data / "train.npy")), read_blocks(training_data / "train.npy").ravel()
    bounds = zip(ends, [*ends[1:], len(stream)], strict=True)
    return [stream[start:stop].tolist() for start, stop in bounds if stop > start]


def pieces_of(packed):
    """The tokens of each piece, row by row."""
    for ids, segments in zip(packed.ids, packed.segments, strict=True):
        yield from (ids[segments == number].tolist() for number in range(1, segments.max() + 1))


def cut(document):
    return [document[at : at + LENGTH] for at in range(0, len(document), LENGTH)]


def test_all_rows_together_are_all_documents(rows, documents):
    packed = rows.take(np.arange(len(rows)))
    assert packed.ids.shape == (len(rows), LENGTH)
    expected = [piece for document in documents for piece in cut(document)]
    assert sorted(pieces_of(packed)) == sorted(expected)


def test_positions_begin_anew_and_padding_is_at_the_end(rows):
    packed = rows.take(np.arange(len(rows)))
    real = packed.segments > 0
    assert (packed.ids[~real] == PAD).all()
    assert (packed.position_ids[~real] == 0).all()
    assert (np.diff(real.astype(int), axis=1) <= 0).all()
    begins = np.hstack([np.ones((len(rows), 1), dtype=bool), np.diff(packed.segments, axis=1) > 0])
    assert (packed.position_ids[begins] == 0).all()
    inside = real[:, 1:] & ~begins[:, 1:]
    assert (np.diff(packed.position_ids, axis=1)[inside] == 1).all()
    assert (packed.position_ids[packed.ids == CLS] == 0).all(), "a document begins a piece"
    assert real.mean() > 0.97


def test_any_rows_are_those_of_the_whole(rows):
    whole, chosen = rows.take(np.arange(len(rows))), np.array([7, 3, 11, 0])
    for part, of_all in zip(rows.take(chosen), whole, strict=True):
        assert (part == of_all[np.sort(chosen)]).all()


def test_a_batch_takes_less_than_a_millisecond(tmp_path):
    lengths = np.random.default_rng(0).integers(8, 200, 20_000)
    ids = np.arange(lengths.sum()).astype(DTYPE)
    write_blocks(tmp_path / "train.npy", [Encoded(ids, lengths)], 128)
    rows = PackedRows(tmp_path / "train.npy")
    seconds = []
    for seed in range(40):
        chosen = np.random.default_rng(seed).choice(len(rows), 32, replace=False)
        started = time.perf_counter()
        rows.take(chosen)
        seconds.append(time.perf_counter() - started)
    assert np.median(seconds) < 1e-3


def test_single_pieces_are_padded_to_the_longest_of_their_batch(training_data, documents):
    rows = PieceRows(training_data / "train.npy", training_data / "tokenizer")
    expected = [piece for document in documents for piece in cut(document) if len(piece) >= MIN_PIECE_TOKENS]
    packed = rows.take(np.arange(len(rows)))
    assert sorted(pieces_of(packed)) == sorted(expected)
    assert (packed.segments.max(1) == 1).all()
    shortest = np.argsort(rows.lengths)[:4]
    assert rows.take(shortest).ids.shape == (4, rows.lengths[shortest].max())
    assert rows.lengths.tolist() == packed.segments.sum(1).tolist()


def test_text_that_fills_no_row_is_bad_input(tmp_path):
    write_blocks(tmp_path / "none.npy", [Encoded(np.zeros(3, dtype=DTYPE), np.array([3]))], 8)
    with pytest.raises(InputError, match=r"none\.npy: no row of tokens in it"):
        PackedRows(tmp_path / "none.npy")
    write_blocks(tmp_path / "short.npy", [Encoded(np.zeros(8, dtype=DTYPE), np.array([8]))], 8)
    with pytest.raises(InputError, match=r"short\.npy: no document of 16 tokens in it"):
        PieceRows(tmp_path / "short.npy")
