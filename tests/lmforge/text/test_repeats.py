"""What stood in a text before."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lmforge.text.lines import split_lines
from lmforge.text.repeats import per_document, repeats


def test_no_texts_have_no_counts() -> None:
    lines = split_lines(pl.Series([], dtype=pl.String))
    assert [len(counts) for counts in repeats(lines, 0)] == [0, 0, 0]


@given(st.lists(st.lists(st.sampled_from(["a", "bb", "ccc", "é"]), max_size=6), max_size=5))
def test_repeats_count_what_stood_before(documents: list[list[str]]) -> None:
    counts = repeats(split_lines(pl.Series(["\n".join(lines) for lines in documents], dtype=pl.String)), len(documents))
    again = [[line for number, line in enumerate(lines) if line in lines[:number]] for lines in documents]
    assert counts.total.tolist() == [len(lines) for lines in documents]
    assert counts.repeated.tolist() == [len(lines) for lines in again]
    assert counts.repeated_chars.tolist() == [sum(map(len, lines)) for lines in again]


def test_sums_by_document() -> None:
    lines = split_lines(pl.Series(["a\nbb", "", "ccc"]))
    assert per_document(lines, pl.col("piece").str.len_chars(), 3).tolist() == [3, 0, 3]
    assert per_document(lines, pl.col("piece") == "a", 3).dtype == np.int64
