"""How much of each text are pieces (lines, paragraphs) that stood in it before, from the flat table of its pieces."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

Counts = NDArray[np.int64]


class Repeats(NamedTuple):
    """By document: how many pieces it has, how many stood in it before, and the characters of those."""

    total: Counts
    repeated: Counts
    repeated_chars: Counts


def repeats(pieces: pl.DataFrame, num_documents: int) -> Repeats:
    """How much of each document are pieces that are equal to an earlier piece of it."""
    total, chars = _sizes(pieces, num_documents)
    many = pieces.filter(pl.Series(total > 1).gather(pieces["document"])) if len(pieces) else pieces
    some = np.flatnonzero(total > 1)
    kept, kept_chars = _sizes(many.unique(["document", "piece"]), num_documents)
    repeated, repeated_chars = np.zeros_like(total), np.zeros_like(chars)
    repeated[some] = total[some] - kept[some]
    repeated_chars[some] = chars[some] - kept_chars[some]
    return Repeats(total, repeated, repeated_chars)


def per_document(pieces: pl.DataFrame, values: pl.Expr, num_documents: int) -> Counts:
    """The sums of a whole-numbered or Boolean expression over the pieces of each document."""
    weights = pieces.select(values.cast(pl.Int64)).to_series().to_numpy()
    # Sums stay far below 2^53, where a double still counts by ones.
    return np.bincount(pieces["document"].to_numpy(), weights, num_documents).astype(np.int64)


def _sizes(pieces: pl.DataFrame, num_documents: int) -> tuple[Counts, Counts]:
    total = np.bincount(pieces["document"].to_numpy(), minlength=num_documents).astype(np.int64)
    return total, per_document(pieces, pl.col("piece").str.len_chars(), num_documents)
