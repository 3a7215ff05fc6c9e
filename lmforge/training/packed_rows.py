"""Rows of memory-mapped tokens that keep documents apart: many pieces to a row, or one.

Both read the index that rows.py of the stage tokenize has written, so no document is cut that fits into a row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lmforge.errors import InputError
from lmforge.tokenization.packing import read_blocks
from lmforge.tokenization.roles import roles_of
from lmforge.tokenization.rows import read_rows
from lmforge.tokenization.tokenizer import PAD
from models.packing import Packed

# Pieces of fewer tokens say too little when they are alone.
MIN_PIECE_TOKENS = 16


class PackedRows:
    """Pieces of documents that fill rows of one length, as far as they can; memory-mapped."""

    lengths = None

    def __init__(self, path: Path, tokenizer: Path | None = None) -> None:
        blocks, self.pad = read_blocks(path, tokenizer), _pad(tokenizer)
        self.tokens, self.row_length = np.asarray(blocks).reshape(-1), blocks.shape[1]
        self.index = read_rows(path, len(self.tokens))
        if self.index.num_rows == 0:
            raise InputError(f"{path}: no row of tokens in it; add text, or shorten pretraining.max_seq_length")

    def __len__(self) -> int:
        return self.index.num_rows

    def take(self, indices: np.ndarray) -> Packed:
        """Rows `[n, row_length]`, in the order of the index."""
        rows = np.sort(indices)
        firsts = self.index.firsts[rows]
        counts = self.index.firsts[rows + 1] - firsts
        return _gather(self.tokens, self.index.pieces[_ranges(firsts, counts)], counts, self.row_length, self.pad)


class PieceRows:
    """The same pieces, each a row of its own, padded to the longest of its batch; very short ones are left out."""

    def __init__(self, path: Path, tokenizer: Path | None = None) -> None:
        self.tokens, self.pad = np.asarray(read_blocks(path, tokenizer)).reshape(-1), _pad(tokenizer)
        pieces = read_rows(path, len(self.tokens)).pieces
        self.pieces = pieces[pieces[:, 1] >= MIN_PIECE_TOKENS]
        if len(self.pieces) == 0:
            raise InputError(f"{path}: no document of {MIN_PIECE_TOKENS} tokens in it; add longer texts")
        self.lengths = self.pieces[:, 1]

    def __len__(self) -> int:
        return len(self.pieces)

    def take(self, indices: np.ndarray) -> Packed:
        """Rows `[n, longest]`, one piece each."""
        pieces = self.pieces[indices]
        counts = np.ones(len(pieces), dtype=np.int64)
        return _gather(self.tokens, pieces, counts, int(pieces[:, 1].max()), self.pad)


def _pad(tokenizer: Path | None) -> int:
    return PAD if tokenizer is None else roles_of(tokenizer).pad


def _gather(tokens: np.ndarray, pieces: np.ndarray, counts: np.ndarray, row_length: int, pad: int) -> Packed:
    """Rows of `counts` pieces each, which follow one another in `pieces`, int64 [num_pieces, 2], and padding."""
    starts, lengths = pieces[:, 0], pieces[:, 1]
    firsts = counts.cumsum() - counts
    before = lengths.cumsum() - lengths  # tokens in front of each piece, all rows together
    row = np.repeat(np.arange(len(counts)), counts)
    column = before - before[firsts][row]
    places = _ranges(np.zeros_like(lengths), lengths)
    into = np.repeat(row * row_length + column, lengths) + places
    rows = np.zeros((3, len(counts), row_length), dtype=np.int64)
    ids, segments, position_ids = rows.reshape(3, -1)
    ids.fill(pad)
    ids[into] = tokens[np.repeat(starts, lengths) + places]
    segments[into] = np.repeat(np.arange(len(row)) - firsts[row] + 1, lengths)
    position_ids[into] = places
    return Packed(*rows)


def _ranges(firsts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """`counts` numbers from each of `firsts` on, one after another."""
    numbers: np.ndarray = np.arange(counts.sum()) + np.repeat(firsts - (counts.cumsum() - counts), counts)
    return numbers
