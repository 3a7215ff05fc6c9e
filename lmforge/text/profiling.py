"""Describe a table of texts in a few kilobytes, so that two of them can be compared without reading either again.

Lengths, mixes and duplicates are those of all rows. Words and repetition are those of a sample: every n-th row, at
most 20,000 of them, and the beginning of long texts; splitting millions of texts into words costs as much as cleaning.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lmforge.errors import IntegrityError
from lmforge.privacy.findings import PLACEHOLDERS
from lmforge.wording import shown

PROFILE = "profile.json"
# Profiles of another format cannot be compared; raise it when a bin or the meaning of a value changes.
FORMAT = 1

# One bin for 0 words, then [1, 2), [2, 4), ..., and the last for 2^23 words and more.
_BIN_STARTS = 2 ** np.arange(24)
_MAX_SAMPLED_DOCUMENTS = 20_000
_MAX_SAMPLED_CHARACTERS = 5_000
_NUM_FREQUENT_WORDS = 2_000
# A word of one text alone may be a name or a number of somebody, and profiles outlive the text.
_MIN_DOCUMENTS_OF_A_WORD = 3
_MAX_NAME_CHARACTERS = 64
_MAX_NAMES = 1_000
# A third of all words being one word is far beyond any language: "the" is 7 % of English.
_MAX_TOP_WORD_SHARE, _MIN_WORDS_TO_REPEAT = 0.3, 20
_MIXES = {
    "language": "languages",
    "source": "sources",
    "license": "licenses",
    "origin": "origins",
    "label": "labels",
    "predicted": "predictions",
    "gold": "gold_labels",
    "split": "splits",
}


def profile(frame: pl.LazyFrame) -> dict[str, Any]:
    """Return the profile of a table; the same rows give the same profile, however they lie in files.

    Keys: format, num_documents; for a table with `text` num_characters, num_words, words_histogram (counts in bins by
    powers of two), duplicate_share (rows whose text an earlier one has), repetitive_share (sampled rows of 20 words
    and more, three tenths of them one word), personal_data (placeholder -> occurrences), frequent_words (num_words
    sampled, and `top`: word -> count of the 2,000 most frequent that three texts hold, in lower case); for each of the
    columns language, source, license, origin, label, predicted, gold and split its counts (nulls under `missing`, names
    beyond the 1,000 most frequent under `other`).
    Holds 50 bytes a row beside the sample. `num_words` and `num_chars` are used where they are columns.
    """
    columns = set(frame.collect_schema().names())
    described: dict[str, Any] = {"format": FORMAT, "num_documents": _num_rows(frame)}
    if "text" in columns:
        described |= _lengths(frame, columns) | _words(frame, described["num_documents"])
    for column, name in _MIXES.items():
        if column in columns:
            described[name] = _mix(frame, column)
    return described


def write_profile(frame: pl.LazyFrame, directory: Path) -> dict[str, Any]:
    """Write `profile.json` of the table into the directory and return the profile."""
    described = profile(frame)
    text = json.dumps(described, indent=1, sort_keys=True, allow_nan=False)
    (directory / PROFILE).write_text(text + "\n", encoding="utf-8")
    return described


def read_profile(directory: Path) -> dict[str, Any] | None:
    """Return the profile that a stage left, None where it left none; IntegrityError where it cannot be read."""
    path = directory / PROFILE
    if not path.is_file():
        return None
    try:
        described: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        name = shown(str(path), 200)
        raise IntegrityError(f"{name} is no JSON: {error}; run the stage that writes it again") from error
    return described


def _num_rows(frame: pl.LazyFrame) -> int:
    return int(frame.select(pl.len()).collect(engine="streaming").item())


def _lengths(frame: pl.LazyFrame, columns: set[str]) -> dict[str, Any]:
    text = pl.col("text")
    words = pl.col("num_words") if "num_words" in columns else text.str.count_matches(r"\S+")
    characters = pl.col("num_chars") if "num_chars" in columns else text.str.len_chars()
    rows = frame.select(
        # Never stored: polars may hash differently in its next version.
        text.hash(seed=0).alias("key"),
        words.fill_null(0).cast(pl.Int64).alias("words"),
        characters.fill_null(0).cast(pl.Int64).alias("characters"),
        text.str.extract_many(sorted(PLACEHOLDERS.values())).alias("marks"),
    ).collect(engine="streaming")
    bins = np.searchsorted(_BIN_STARTS, rows["words"].to_numpy(), side="right")
    return {
        "num_characters": int(rows["characters"].sum()),
        "num_words": int(rows["words"].sum()),
        "words_histogram": np.bincount(bins, minlength=len(_BIN_STARTS) + 1).tolist(),
        "duplicate_share": 1 - rows["key"].n_unique() / len(rows) if len(rows) else 0.0,
        "personal_data": dict(rows["marks"].explode().drop_nulls().value_counts(sort=False).sort("marks").iter_rows()),
    }


def _words(frame: pl.LazyFrame, num_rows: int) -> dict[str, Any]:
    stride = max(1, -(-num_rows // _MAX_SAMPLED_DOCUMENTS))
    sampled = frame.select("text").with_row_index("row").filter(pl.col("row") % stride == 0)
    beginnings = pl.col("text").str.head(_MAX_SAMPLED_CHARACTERS).str.to_lowercase()
    words = (
        sampled.select("row", beginnings.str.extract_all(r"\w+").alias("word"))
        .explode("word")
        .drop_nulls("word")
        .group_by("row", pl.col("word").str.head(_MAX_NAME_CHARACTERS))
        .len("count")
        .collect(engine="streaming")
    )
    shared = pl.len() >= _MIN_DOCUMENTS_OF_A_WORD
    counted = words.group_by("word").agg(pl.col("count").sum(), shared=shared)
    ranked = counted.filter("shared").sort(["count", "word"], descending=[True, False]).select("word", "count")
    documents = words.group_by("row").agg(total=pl.col("count").sum(), top=pl.col("count").max())
    judged = documents.filter(pl.col("total") >= _MIN_WORDS_TO_REPEAT)
    repetitive = judged.filter(pl.col("top") > pl.col("total") * _MAX_TOP_WORD_SHARE)
    return {
        "repetitive_share": len(repetitive) / max(len(judged), 1),
        "frequent_words": {
            "num_words": int(words["count"].sum()),
            "top": dict(ranked.head(_NUM_FREQUENT_WORDS).iter_rows()),
        },
    }


def _mix(frame: pl.LazyFrame, column: str) -> dict[str, Any]:
    names = frame.select(pl.col(column).cast(pl.String).str.head(_MAX_NAME_CHARACTERS).alias("name"))
    counted = names.group_by("name").len("count").collect(engine="streaming")
    ranked = counted.drop_nulls("name").sort(["count", "name"], descending=[True, False])
    return {
        "counts": dict(ranked.head(_MAX_NAMES).iter_rows()),
        "other": int(ranked[_MAX_NAMES:]["count"].sum()),
        "missing": int(counted.filter(pl.col("name").is_null())["count"].sum()),
    }
