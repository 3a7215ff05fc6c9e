"""Rows hold every token once, cut no document that fits, and are filled; the index says where, or is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.errors import IntegrityError
from lmforge.tokenization.packing import document_file, read_blocks
from lmforge.tokenization.rows import best_fit, read_rows, write_rows


def plain_best_fit(lengths, row_length):
    """Best-fit decreasing as it is defined: a piece at a time, into the fullest row that has room for it."""
    left, rows = [], [0] * len(lengths)
    for piece in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        fitting = [row for row, room in enumerate(left) if room >= lengths[piece]]
        chosen = min(fitting, key=lambda row: left[row]) if fitting else len(left)
        left += [] if fitting else [row_length]
        left[chosen] -= lengths[piece]
        rows[piece] = chosen
    return left, rows


@given(st.integers(1, 40).flatmap(lambda most: st.tuples(st.lists(st.integers(1, most), max_size=60), st.just(most))))
@settings(max_examples=150, deadline=None)
def test_rows_are_as_full_as_those_of_the_definition(example):
    lengths, row_length = example
    rows = best_fit(np.array(lengths, dtype=np.int64), row_length)
    filled = np.bincount(rows, weights=lengths, minlength=1).astype(int)
    left, expected = plain_best_fit(lengths, row_length)
    assert filled.max(initial=0) <= row_length
    assert sorted(row_length - filled.tolist()[row] for row in range(len(left))) == sorted(left)
    assert len(set(rows.tolist())) == len(set(expected))


def test_many_documents_are_packed_in_time_that_grows_with_them():
    lengths = np.random.default_rng(0).integers(1, 500, 200_000)
    rows = best_fit(lengths, 512)
    filled = np.bincount(rows, weights=lengths)
    assert filled.max() <= 512
    assert lengths.sum() / (len(filled) * 512) > 0.99
    assert (best_fit(lengths, 512) == rows).all()


def test_a_piece_of_no_row_is_a_mistake():
    for lengths in ([0], [9]):
        with pytest.raises(AssertionError, match="a piece of no row"):
            best_fit(np.array(lengths), 8)


@given(st.lists(st.integers(0, 30), max_size=30), st.integers(1, 12), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_every_token_is_in_one_row_and_short_documents_are_whole(tmp_path_factory, lengths, row_length, behind):
    path = tmp_path_factory.mktemp("rows") / "train.npy"
    ends = np.cumsum([0, *lengths])
    write_rows(path, ends, int(ends[-1]) + behind, row_length)
    index = read_rows(path, int(ends[-1]) + behind)
    tokens = np.concatenate([[], *(np.arange(start, start + length) for start, length in index.pieces)])
    assert sorted(tokens.tolist()) == list(range(int(ends[-1]) + behind))
    pieces = {(int(start), int(length)) for start, length in index.pieces}
    for start, length in zip(ends, lengths, strict=False):
        whole = [(int(start), length)] if 0 < length <= row_length else []
        assert all(piece in pieces for piece in whole)
        assert all((int(start) + at, row_length) in pieces for at in range(0, length - row_length + 1, row_length))
    in_rows = np.add.reduceat(index.pieces[:, 1], index.firsts[:-1]) if index.num_rows else np.zeros(0)
    assert in_rows.max(initial=0) <= row_length
    assert index.fill_rate(row_length) == (len(tokens) / (index.num_rows * row_length) if index.num_rows else 1.0)


def test_rows_of_real_descriptions_are_full(training_data):
    blocks = read_blocks(training_data / "train.npy")
    index = read_rows(training_data / "train.npy", blocks.size)
    assert index.fill_rate(blocks.shape[1]) > 0.97
    ends = np.load(document_file(training_data / "train.npy"))
    starts = set(index.pieces[:, 0].tolist())
    assert set(ends[:-1].tolist()) <= starts, "every document begins a piece"
    assert (
        np.diff(index.pieces[:, 0])[np.diff(np.repeat(np.arange(index.num_rows), np.diff(index.firsts))) == 0] > 0
    ).all()


@pytest.mark.parametrize(
    ("name", "array", "reason"),
    [
        ("pieces", np.zeros((2, 2), dtype=np.int32), "not an index of rows"),
        ("pieces", np.zeros(4, dtype=np.int64), "not an index of rows"),
        ("rows", np.zeros((1, 1), dtype=np.int64), "not an index of rows"),
        ("pieces", np.array([[0, 4], [4, 9]]), "no rows of the tokens"),
        ("pieces", np.array([[-1, 4], [4, 4]]), "no rows of the tokens"),
        ("pieces", np.zeros((2, 3), dtype=np.int64), "no rows of the tokens"),
        ("rows", np.zeros(0, dtype=np.int64), "no rows of the tokens"),
        ("rows", np.array([1, 2]), "no rows of the tokens"),
        ("rows", np.array([0, 1]), "no rows of the tokens"),
        ("rows", np.array([0, 2, 1, 2]), "no rows of the tokens"),
    ],
)
def test_an_index_of_something_else_is_refused(tmp_path, name, array, reason):
    path = tmp_path / "train.npy"
    write_rows(path, np.array([0, 4, 8]), 8, 4)
    assert read_rows(path, 8).num_rows == 2
    np.save(tmp_path / f"train_{name}.npy", array)
    with pytest.raises(IntegrityError, match=rf"train_\w+\.npy: {reason}"):
        read_rows(path, 8)


def test_a_missing_or_damaged_index_is_named(tmp_path):
    with pytest.raises(IntegrityError, match=r"train_pieces\.npy: not readable as an index of rows"):
        read_rows(tmp_path / "train.npy", 8)
    write_rows(tmp_path / "train.npy", np.array([0, 4, 8]), 8, 4)
    (tmp_path / "train_rows.npy").write_bytes(b"\x93NUMPY damaged")
    with pytest.raises(IntegrityError, match=r"train_rows\.npy: not readable .* run again to make it anew"):
        read_rows(tmp_path / "train.npy", 8)
