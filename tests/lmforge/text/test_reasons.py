"""The first condition that holds names the reason."""

import polars as pl

from lmforge.text.reasons import first_reason


def test_the_first_that_holds_counts_and_null_does_not_hold() -> None:
    frame = pl.DataFrame({"a": [True, False, None, False], "b": [True, True, True, False]})
    found = frame.select(first_reason({"first": pl.col("a"), "second": pl.col("b")})).to_series()
    assert found.to_list() == ["first", "second", "second", None]
    assert found.dtype == pl.String


def test_a_reason_that_never_holds_leaves_text_all_the_same() -> None:
    assert pl.DataFrame({"a": [False]}).select(first_reason({"never": pl.col("a")})).to_series().dtype == pl.String
