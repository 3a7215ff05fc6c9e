"""Repeated lines across documents: counted once a document, in any division into shards, and taken out whole."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import polars as pl
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.text.boilerplate import count_lines, drop_lines, merge_counts

IMPRINT = "This package contains the library."
LINES = [
    IMPRINT,
    IMPRINT.upper(),
    f"  {IMPRINT.replace(' ', '  ')}\t",
    "short line",
    "",
    "ÜBER DIE WERKZEUGE HIER",
    "twenty characters xx",
]
DOCUMENT = st.lists(st.sampled_from(LINES), max_size=6).map("\n".join)


def _normal(line: str) -> str:
    return " ".join(line.lower().split())


def _expected(texts: list[str], min_documents: int) -> set[str]:
    counts = Counter(line for text in texts for line in {_normal(line) for line in text.split("\n")} if len(line) >= 20)
    return {line for line, number in counts.items() if number >= min_documents}


@settings(deadline=None)
@given(st.lists(DOCUMENT, max_size=8), st.integers(1, 4), st.integers(0, 8))
def test_equals_counting_in_plain_python(texts: list[str], min_documents: int, cut: int) -> None:
    shards = [count_lines(pl.Series(part, dtype=pl.String)) for part in (texts[:cut], texts[cut:])]
    boilerplate = merge_counts(shards, min_documents)
    expected = _expected(texts, min_documents)
    assert set(boilerplate.tolist()) == {xxhash.xxh3_64_intdigest(line.encode()) for line in expected}
    left, num_lines = drop_lines(pl.Series(texts, dtype=pl.String), boilerplate)
    kept = [[line for line in text.split("\n") if _normal(line) not in expected] for text in texts]
    assert left.to_list() == ["\n".join(lines) for lines in kept]
    assert num_lines == sum(len(text.split("\n")) - len(lines) for text, lines in zip(texts, kept, strict=True))


def test_a_line_counts_once_a_document() -> None:
    hashes, counts = count_lines(pl.Series([f"{IMPRINT}\n{IMPRINT.upper()}", IMPRINT, "another line that is long"]))
    assert sorted(counts.tolist()) == [1, 2]
    assert (hashes.dtype, counts.dtype) == (np.uint64, np.int64)
    assert (np.diff(hashes.astype(object)) > 0).all()


def test_lines_below_twenty_characters_never_count() -> None:
    hashes, counts = count_lines(pl.Series(["x" * 19, "y" * 20, "z   " * 9]))
    assert hashes.tolist() == [xxhash.xxh3_64_intdigest(b"y" * 20)]
    assert counts.tolist() == [1]


def test_a_text_of_boilerplate_alone_becomes_empty_and_others_stay() -> None:
    texts = pl.Series("text", [IMPRINT, f"{IMPRINT}\n  kept as it is ", "untouched\n\n text"])
    left, num_lines = drop_lines(texts, merge_counts([count_lines(texts)], 2))
    assert left.to_list() == ["", "  kept as it is ", "untouched\n\n text"]
    assert (num_lines, left.name) == (2, "text")
    assert texts[0] == IMPRINT


def test_nothing_to_drop() -> None:
    texts = pl.Series([IMPRINT, "other"])
    for boilerplate in (np.empty(0, dtype=np.uint64), np.array([1, 2], dtype=np.uint64)):
        left, num_lines = drop_lines(texts, boilerplate)
        assert left.equals(texts) and num_lines == 0


def test_no_shards_and_empty_shards() -> None:
    empty = count_lines(pl.Series([], dtype=pl.String))
    assert [len(column) for column in empty] == [0, 0]
    assert len(merge_counts([], 2)) == len(merge_counts([empty, empty], 2)) == 0


def test_hashes_are_the_same_in_another_process_with_another_number_of_threads() -> None:
    code = (
        "import polars as pl; from lmforge.text.boilerplate import count_lines;"
        f"print([column.tolist() for column in count_lines(pl.Series({LINES!r} * 3))])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env={"POLARS_MAX_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str([column.tolist() for column in count_lines(pl.Series(LINES * 3))])
