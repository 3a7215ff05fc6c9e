"""Verdicts on summaries equal those of Great Expectations on the rows themselves, for clean and for broken samples."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable

import polars as pl
import pytest

from expectations.clean_corpus import clean_corpus
from expectations.patterns import CONTROL_CHARACTERS
from lmforge.errors import ContractError
from lmforge.monitoring.drift import measures
from lmforge.text.profiling import profile
from tasks.validation import validate

LIMITS = {
    "max_duplicate_share": 0.02,
    "max_replacement_character_share": 0.05,
    "max_control_character_share": 0.0,
    "max_mojibake_share": 0.01,
    "min_mean_words": 4.0,
}
SUITE = clean_corpus(min_documents=50, languages=("en", "de"), min_words=2, max_words=60, warn=(), **LIMITS)


def on_rows() -> dict[str, dict]:
    """Summary column -> the expectation of Great Expectations on raw rows that says the same."""
    pattern = "expect_column_values_to_not_match_regex"
    return {
        "num_rows": {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 50}},
        "empty_share": {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "text", "regex": r"\S"}},
        "duplicate_share": {
            "type": "expect_column_proportion_of_unique_values_to_be_between",
            "kwargs": {"column": "text", "min_value": 0.98},
        },
        "replacement_character_share": {
            "type": pattern,
            "kwargs": {"column": "text", "regex": "\ufffd", "mostly": 0.95},
        },
        "control_character_share": {"type": pattern, "kwargs": {"column": "text", "regex": CONTROL_CHARACTERS}},
        "mojibake_share": {
            "type": pattern,
            "kwargs": {"column": "text", "regex": "\u00c3[\u00a0-\u00bf]", "mostly": 0.99},
        },
        "length_share": {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "num_words", "min_value": 2, "max_value": 60},
        },
        "language_share": {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "language", "value_set": ["en", "de", "und"]},
        },
        "split_share": {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "split", "value_set": ["train", "validation"]},
        },
        "repeated_id_share": {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}},
        "mean_words": {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "num_words", "min_value": 4}},
        "p95_words": {
            "type": "expect_column_quantile_values_to_be_between",
            "kwargs": {
                "column": "num_words",
                "quantile_ranges": {"quantiles": [0.95], "value_ranges": [[None, 20000]]},
            },
        },
    }


@pytest.fixture(scope="module")
def great_expectations_on_rows() -> Callable[[pl.DataFrame], set[str]]:
    import great_expectations as gx

    def broken(frame: pl.DataFrame) -> set[str]:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        batch = (
            context.data_sources.add_pandas("rows")
            .add_dataframe_asset("rows")
            .add_batch_definition_whole_dataframe("all")
        )
        checks = [check | {"meta": {"column": column}} for column, check in on_rows().items()]
        suite = context.suites.add(gx.ExpectationSuite(name="rows", expectations=checks))
        assert len(suite.expectations) == len(checks)
        with warnings.catch_warnings():
            # Pandas warns of groups in a pattern that is only searched for.
            warnings.simplefilter("ignore", UserWarning)
            result = batch.get_batch(batch_parameters={"dataframe": frame.to_pandas()}).validate(suite)
        return {one.expectation_config.meta["column"] for one in result.results if not one.success}

    return broken


@pytest.fixture(scope="module")
def clean(descriptions) -> pl.DataFrame:
    """Real descriptions as the clean stage would leave them."""
    texts = pl.Series("text", [row["description"] for row in descriptions[:120]])
    frame = texts.to_frame().with_columns(
        text=pl.col("text").str.replace_all(r"[ \t]+", " ").str.split(" ").list.head(40).list.join(" ")
    )
    return frame.unique("text", maintain_order=True).with_columns(
        id=pl.format("d{}", pl.int_range(pl.len())),
        source=pl.lit("s"),
        line=pl.int_range(1, pl.len() + 1),
        language=pl.lit("en"),
        num_chars=pl.col("text").str.len_chars(),
        num_words=pl.col("text").str.count_matches(r"\S+"),
        split=pl.when(pl.int_range(pl.len()) % 10 == 0).then(pl.lit("validation")).otherwise(pl.lit("train")),
    )


def replaced(column: str, value: object, count: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        new = pl.when(pl.int_range(pl.len()) < count).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
        return frame.with_columns(new)

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda frame: frame, set()),
        (lambda frame: frame.head(40), {"num_rows"}),
        (replaced("text", " \n", 1), {"empty_share"}),
        (replaced("text", "twice the same words", 2), set()),
        (replaced("text", "twice the same words", 9), {"duplicate_share"}),
        (replaced("text", "one \ufffd two", 1), set()),
        (replaced("text", "one \ufffd two", 9), {"duplicate_share", "replacement_character_share"}),
        (replaced("text", "a \x07 bell", 1), {"control_character_share"}),
        (replaced("text", "un cafÃ© noir", 1), set()),
        (replaced("text", "un cafÃ© noir", 2), {"mojibake_share"}),
        (replaced("num_words", 1, 1), {"length_share"}),
        (replaced("num_words", 61, 1), {"length_share"}),
        (replaced("num_words", 2, 119), {"mean_words"}),
        (replaced("language", "fr", 1), {"language_share"}),
        (replaced("split", "test", 1), {"split_share"}),
        (replaced("id", "d5", 1), {"repeated_id_share"}),
    ],
)
def test_verdicts_are_the_same(clean, change, expected, great_expectations_on_rows, tmp_path):
    frame = change(clean)
    facts = {"num_raw_documents": 120, **measures(profile(frame.lazy()))}
    try:
        validate(SUITE, frame.lazy(), facts=facts, report=tmp_path)
    except ContractError:
        assert expected
    outcomes = json.loads((tmp_path / "validation.json").read_text(encoding="utf-8"))["outcomes"]
    judged = {outcome["column"]: outcome["verdict"] for outcome in outcomes}
    assert on_rows().keys() <= judged.keys()
    broken = {column for column in on_rows() if judged[column] == "broken"}
    assert broken == great_expectations_on_rows(frame) == expected
