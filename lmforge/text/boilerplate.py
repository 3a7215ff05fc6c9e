"""Lines that stand in many documents: counted shard by shard, merged, and taken out.

A line counts by its normal form: lower case, white space collapsed, at least 20 characters of it; shorter ones are
headings, greetings and list items, which repeat in good text too. Memory: 16 bytes a different line of a shard (an
8-byte hash, an 8-byte count), and 64 bytes a different line of each shard while they are merged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import xxhash
from numpy.typing import NDArray

from lmforge.text.lines import split_lines
from lmforge.text.repeats import Counts

Hashes = NDArray[np.uint64]

# About three words: below that a repeated line is seldom an imprint, a menu or a licence.
_MIN_CHARS = 20


def count_lines(texts: pl.Series) -> tuple[Hashes, Counts]:
    """XXH3 hashes (64 bits, sorted, distinct) of the lines, and in how many of the texts each stands.

    Two of 10^9 different lines share a hash with probability 0.03 (birthday bound).
    """
    lines = _normal_lines(texts).unique(["document", "normal"])
    counts = lines.group_by("normal").len()
    return _summed(_hashes(counts["normal"]), counts["len"].cast(pl.Int64).to_numpy())


def merge_counts(shards: Sequence[tuple[Hashes, Counts]], min_documents: int) -> Hashes:
    """The sorted hashes of the lines that stand in at least `min_documents` documents of all shards together."""
    if not shards:
        return np.empty(0, dtype=np.uint64)
    hashes, counts = _summed(*(np.concatenate(column) for column in zip(*shards, strict=True)))
    return hashes[counts >= min_documents]


def drop_lines(texts: pl.Series, boilerplate: Hashes) -> tuple[pl.Series, int]:
    """The texts without the lines whose hash is in `boilerplate` (sorted), and how many lines that were.

    A text of nothing else becomes empty; the other lines stay as they are.
    """
    lines = _normal_lines(texts)
    distinct = lines["normal"].unique()
    known = distinct.filter(pl.Series(np.isin(_hashes(distinct), boilerplate, kind="sort"), dtype=pl.Boolean))
    hit = lines.join(known.to_frame(), on="normal", how="semi")
    touched = hit["document"].unique().sort()
    if touched.is_empty():
        return texts, 0
    pieces = texts.gather(touched).str.split("\n").to_frame("piece").with_row_index("row").explode("piece")
    kept = pieces.filter(~_normal(pl.col("piece")).is_in(known.implode()))
    rest = kept.group_by("row").agg(pl.col("piece").str.join("\n"))
    rows = pieces.select("row").unique().sort("row").join(rest, on="row", how="left", maintain_order="left")
    return texts.clone().scatter(touched, rows["piece"].fill_null("")), len(hit)


def _normal_lines(texts: pl.Series) -> pl.DataFrame:
    lines = split_lines(texts).select("document", normal=_normal(pl.col("piece")))
    return lines.filter(pl.col("normal").str.len_chars() >= _MIN_CHARS)


def _normal(line: pl.Expr) -> pl.Expr:
    return line.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _hashes(lines: pl.Series) -> Hashes:
    # polars' own hash differs between versions, and these are kept between runs.
    return np.fromiter(
        (xxhash.xxh3_64_intdigest(line) for line in lines.cast(pl.Binary)), dtype=np.uint64, count=len(lines)
    )


def _summed(hashes: Hashes, counts: Counts) -> tuple[Hashes, Counts]:
    """Distinct hashes in order, with the sums of their counts."""
    order = np.argsort(hashes)
    ordered = hashes[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else order
    return ordered[starts], np.add.reduceat(counts[order], starts) if len(starts) else counts
