"""Rows of one length from documents of any: which pieces share a row, stored as a small index beside the tokens.

A document longer than a row is cut into full pieces and a rest; no other document is cut. Each piece, the longest
first, goes into the fullest row that has room for it: best fit over a histogram of lengths, whose cost grows with the
number of pieces and not with its square (Krell et al. 2021, Efficient sequence packing without cross-contamination;
Ding et al. 2024, Fewer truncations improve language modeling). The same lengths give the same rows.
"""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lmforge.errors import IntegrityError

# What numpy raises for a header that is none, found by altering bits of one.
UNREADABLE = (OSError, EOFError, ValueError, TypeError, SyntaxError, OverflowError, MemoryError, tokenize.TokenError)
AGAIN = "remove its directory and run again to make it anew"


class RowIndex(NamedTuple):
    """Where the pieces of each row lie in a stream of tokens.

    pieces: int64 [num_pieces, 2], first token and length; those of a row follow one another, in the stream's order.
    firsts: int64 [num_rows + 1], the number of each row's first piece, and of pieces in all.
    """

    pieces: np.ndarray
    firsts: np.ndarray

    @property
    def num_rows(self) -> int:
        """Rows of the index."""
        return len(self.firsts) - 1

    def fill_rate(self, row_length: int) -> float:
        """Share of the rows' tokens that is text and not padding; 1 when there is no row."""
        return int(self.pieces[:, 1].sum()) / (self.num_rows * row_length) if self.num_rows else 1.0


def write_rows(blocks: Path, ends: np.ndarray, num_tokens: int, row_length: int) -> None:
    """Pack the documents of a file of blocks into rows and write the index beside it.

    ends: int64 [num_documents + 1], where documents begin and end in the stream of `num_tokens` tokens. What the stream
    has of a document behind the last of them is a document, too.
    """
    pieces = _cut(np.append(ends, num_tokens), row_length)
    rows = best_fit(pieces[:, 1], row_length)
    order = np.argsort(rows, kind="stable")
    np.save(_file(blocks, "pieces"), pieces[order])
    np.save(_file(blocks, "rows"), np.concatenate([[0], np.bincount(rows).cumsum()]).astype(np.int64))


def read_rows(blocks: Path, num_tokens: int) -> RowIndex:
    """Memory-map the index beside a file of blocks; raises IntegrityError where it is not one of its tokens."""
    index = RowIndex(_load(_file(blocks, "pieces"), 2), _load(_file(blocks, "rows"), 1))
    pieces, firsts = index
    inside = pieces.shape[1] == 2 and not ((pieces < 0).any() or (pieces.sum(1) > num_tokens).any())
    if not inside or len(firsts) == 0 or firsts[0] != 0 or firsts[-1] != len(pieces) or (np.diff(firsts) <= 0).any():
        raise IntegrityError(f"{_file(blocks, 'pieces')}: no rows of the tokens in {blocks.name}; {AGAIN}")
    return index


def best_fit(lengths: np.ndarray, row_length: int) -> np.ndarray:
    """The number of the row that each piece goes into, int64 like `lengths`: from 1 to `row_length` tokens each."""
    assert not len(lengths) or 1 <= lengths.min() <= lengths.max() <= row_length, "a piece of no row"
    rows = np.zeros(len(lengths), dtype=np.int64)
    # Of 16 bits, so that the sort is one by digits.
    longest_first = np.argsort((row_length - lengths).astype(np.uint16), kind="stable")
    counts = np.bincount(lengths, minlength=row_length + 1)[:0:-1]
    room, num_rows = _Room(row_length), 0
    for pieces in np.split(longest_first, counts.cumsum()[:-1]):
        while len(pieces):
            length = int(lengths[pieces[0]])
            left = room.least(length)
            each = (left or row_length) // length
            wanted = -(-len(pieces) // each)
            chosen = room.take(left, wanted) if left else np.arange(num_rows, num_rows + wanted)
            num_rows += 0 if left else wanted
            placed, pieces = np.split(pieces, [len(chosen) * each])
            rows[placed] = np.repeat(chosen, each)[: len(placed)]
            last = len(placed) - (len(chosen) - 1) * each
            room.put((left or row_length) - each * length, chosen[:-1])
            room.put((left or row_length) - last * length, chosen[-1:])
    return rows


class _Room:
    """Rows by the number of tokens that they have room for."""

    def __init__(self, row_length: int) -> None:
        self.rows: list[list[np.ndarray]] = [[] for _ in range(row_length + 1)]
        self.counts = np.zeros(row_length + 1, dtype=np.int64)

    def least(self, length: int) -> int:
        """The least room that some row has for `length` tokens; 0 when none has."""
        fits = self.counts[length:] > 0
        return length + int(fits.argmax()) if fits.any() else 0

    def put(self, left: int, rows: np.ndarray) -> None:
        """Rows that have room for `left` more tokens."""
        if left and len(rows):
            self.rows[left].append(rows)
            self.counts[left] += len(rows)

    def take(self, left: int, wanted: int) -> np.ndarray:
        """At most so many of the rows with room for `left` tokens; they have it no more."""
        rows = self.rows[left].pop()
        self.rows[left] += [rows[wanted:]] if len(rows) > wanted else []
        self.counts[left] -= min(wanted, len(rows))
        return rows[:wanted]


def _cut(ends: np.ndarray, row_length: int) -> np.ndarray:
    """Pieces of the documents between `ends`, int64 [num_pieces, 2], first token and length, in the stream's order."""
    lengths = np.diff(ends)
    parts = -(-lengths // row_length)
    starts = np.repeat(ends[:-1], parts)
    starts += row_length * (np.arange(len(starts)) - np.repeat(parts.cumsum() - parts, parts))
    return np.stack([starts, np.minimum(np.repeat(ends[1:], parts) - starts, row_length)], axis=1)


def _file(blocks: Path, name: str) -> Path:
    return blocks.with_name(f"{blocks.stem}_{name}.npy")


def _load(path: Path, dimensions: int) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except UNREADABLE as error:
        raise IntegrityError(f"{path}: not readable as an index of rows ({error}); {AGAIN}") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.int64 or array.ndim != dimensions:
        raise IntegrityError(f"{path}: not an index of rows, int64 of {dimensions} dimensions; {AGAIN}")
    # A plain view of the mapped file: numpy indexes it several times as fast.
    return np.asarray(array)
