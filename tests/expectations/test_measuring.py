"""Summaries are right, leave out what cannot be computed, and offending rows come in source order."""

from __future__ import annotations

import math

import polars as pl
import pytest

from expectations.clean_corpus import clean_corpus
from expectations.measuring import offending_rows, summarize, unfit_columns
from expectations.raw_corpus import raw_corpus
from expectations.suite import RowRule, Suite

SUITE = Suite(
    "s",
    "p",
    columns={"text": "text", "number": "number"},
    derived={"key": pl.col("text").hash(seed=0)},
    rules=(
        RowRule("negative", "number < 0", 0.0, "negative rows"),
        RowRule("negative_b", "number < 0", 0.0, "negative rows with a b", among="text ~ 'b'"),
        RowRule("repeated", "ROW_NUMBER() OVER (PARTITION BY key) > 1", 0.0, "repeated rows"),
    ),
    summary={"total": "SUM(number)", "characters": "SUM(LENGTH(text))"},
    ratios={"mean": "total / num_rows", "of_all": "CAST(num_rows AS DOUBLE) / num_all"},
)
FRAME = pl.LazyFrame({"text": ["a", "b", "b", "cb"], "number": [1.0, -2.0, 3.0, 4.0]})


def test_summary_holds_facts_aggregates_shares_and_ratios():
    assert summarize(SUITE, FRAME, {"num_all": 8}) == {
        "num_all": 8,
        "num_unfit_columns": 0,
        "num_rows": 4,
        "total": 6.0,
        "characters": 5,
        "negative_share": 0.25,
        "negative_b_share": pytest.approx(1 / 3),
        "repeated_share": 0.25,
        "mean": 1.5,
        "of_all": 0.5,
    }


def test_what_needs_a_missing_or_unfit_column_is_left_out():
    row = summarize(SUITE, FRAME.with_columns(text=pl.lit(1)), {})
    assert row["num_unfit_columns"] == 1
    assert not {"characters", "repeated_share", "negative_b_share", "of_all"} & set(row)
    assert row["total"] == 6.0
    assert unfit_columns(SUITE, FRAME.select(text=pl.lit(1))) == {
        "text": "is Int32, expected text",
        "number": "is missing",
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_become_none(value):
    assert summarize(SUITE, FRAME.with_columns(number=pl.lit(value)), {"num_all": value})["total"] is None
    assert summarize(SUITE, None, {"num_all": value}) == {"num_all": None}


def test_undecidable_row_counts_as_offending():
    frame = FRAME.with_columns(number=pl.Series([1.0, None, 3.0, 4.0]))
    assert summarize(SUITE, frame, {})["negative_share"] == 0.25
    assert [row["excerpt"] for row in offending_rows(SUITE, SUITE.rules[0], frame, 3)] == ["'b'"]


def test_offending_rows_are_the_first_in_source_order_with_place_and_note():
    suite = raw_corpus()
    rule = RowRule("late", "line > 5", 0.0, "late lines", show=("line",))
    numbers = list(range(1, 2001))
    frame = pl.LazyFrame({"id": [f"d{n}" for n in numbers], "text": ["t"] * 2000, "source": "a", "line": numbers})
    rows = offending_rows(suite, rule, frame, 2)
    assert rows == [
        {"rule": "late", "id": "'d6'", "place": "a:6", "note": "line 6", "excerpt": "'t'"},
        {"rule": "late", "id": "'d7'", "place": "a:7", "note": "line 7", "excerpt": "'t'"},
    ]
    assert offending_rows(suite, rule, frame.drop("line"), 2) == []


def test_excerpts_are_short_and_cannot_forge_a_line():
    text = "a\x1b[31m\u202e\nFAKE" + "x" * 10_000
    frame = pl.LazyFrame({"text": [text], "number": [-1.0], "id": ["i\n" * 500]})
    (row,) = offending_rows(SUITE, SUITE.rules[0], frame, 1)
    assert row["excerpt"].startswith(r"'a\x1b[31m\u202e\nFAKExx")
    assert row["excerpt"].endswith("xx'...")
    assert max(map(len, row.values())) < 200
    assert all(value.isprintable() for value in row.values())


def test_cheap_share_equals_the_share_of_the_rows_shown():
    texts = ["one", "two", "one", "one", "three", "two"]
    frame = pl.LazyFrame({"id": ["a", "a", "", "b", None, ""], "text": texts, "source": "s", "line": range(6)})
    frame = frame.with_columns(language=pl.lit("en"), split=pl.lit("train"), num_chars=3, num_words=1, repaired=False)
    suite = clean_corpus()
    row = summarize(suite, frame, {})
    for rule in suite.rules:
        assert row[rule.column] == len(offending_rows(suite, rule, frame, 99)) / 6, rule.name
    assert row["duplicate_share"] == 0.5
    assert row["repeated_id_share"] == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    "text",
    [
        "b jane.doe@example.org",
        "b card 4111 1111 1111 1111",
        "b AKIAIOSFODNN7EXAMPLQ",
        "b https://u:hunter2xyz@example.org/",
    ],
)
def test_personal_data_and_secrets_are_never_shown(text):
    frame = pl.LazyFrame({"text": [text, "b harmless"], "number": [-1.0, -1.0], "id": ["i", "j"]})
    rows = offending_rows(SUITE, SUITE.rules[1], frame, 3)
    assert [row["excerpt"] for row in rows] == ["", "'b harmless'"]


def test_private_rules_and_tables_without_text_show_no_excerpt():
    private = RowRule("negative", "number < 0", 0.0, "negative rows", private=True)
    frame = pl.LazyFrame({"text": ["t"], "number": [-1.0], "id": ["i"]})
    assert offending_rows(SUITE, private, frame, 3)[0]["excerpt"] == ""
    assert offending_rows(SUITE, SUITE.rules[0], frame.drop("text"), 3)[0]["excerpt"] == ""
