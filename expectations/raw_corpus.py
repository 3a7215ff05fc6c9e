"""The suite `raw_corpus`: what collecting promises to cleaning."""

from __future__ import annotations

from typing import Any

import polars as pl

from expectations.comparing import VOLUME, compared
from expectations.patterns import mojibake
from expectations.sharing import repeated_id, repetitive, wrongly_decoded
from expectations.suite import Family, RowRule, Suite, bounded
from lmforge.recipe.promises import RawPromises

KEY = "expectations.raw_corpus."


def raw_corpus(**thresholds: Any) -> Suite:
    """Return the suite over the collected documents; thresholds: those of `RawPromises`, with its defaults.

    Needs the facts `read` and `quarantined` (records), and `num_words` and `repetitive_share` of the table's profile.
    The column `license` is asked for when max_unlicensed_share is below 1.
    """
    promises = RawPromises(**thresholds)
    columns: dict[str, Family] = {"id": "text", "text": "text", "source": "text", "line": "number"}
    licensed = promises.max_unlicensed_share < 1
    return Suite(
        name="raw_corpus",
        promise="Cleaning can start: enough records were readable, nearly all hold text, and each is named once.",
        columns=columns | ({"license": "text"} if licensed else {}),
        derived={"id_key": pl.col("id").hash(seed=0), "mojibake": mojibake()},
        rules=(
            _empty(promises.max_empty_share),
            RowRule("unplaced", "source = '' OR line < 0", 0.0, "documents without a file and line"),
            repeated_id(),
            wrongly_decoded(KEY, "documents", promises.max_mojibake_share),
            *((_unlicensed(promises.max_unlicensed_share),) if licensed else ()),
        ),
        summary={"num_sources": "COUNT(DISTINCT source)"},
        ratios={
            "quarantine_share": "CAST(quarantined AS DOUBLE) / read",
            "mean_words": "CAST(num_words AS DOUBLE) / num_rows",
            **VOLUME,
        },
        expectations=(
            bounded("num_rows", "number of documents", minimum=promises.min_documents, key=KEY + "min_documents"),
            _quarantined(promises.max_quarantine_share),
            bounded("mean_words", "mean number of words", minimum=promises.min_mean_words, key=KEY + "min_mean_words"),
            repetitive(KEY, "documents", promises.max_repetitive_share),
            *compared(KEY, "documents", promises),
        ),
        warn=promises.warn,
    )


def _quarantined(maximum: float) -> dict[str, Any]:
    words, key = "share of records that could not be read", KEY + "max_quarantine_share"
    return bounded("quarantine_share", words, minimum=0, maximum=maximum, key=key)


def _empty(maximum: float) -> RowRule:
    return RowRule("empty", r"NOT (text ~ '\S')", maximum, "documents without text", key=KEY + "max_empty_share")


def _unlicensed(maximum: float) -> RowRule:
    where, words = r"NOT (license ~ '\S')", "documents without a licence"
    return RowRule("unlicensed", where, maximum, words, show=("source",), key=KEY + "max_unlicensed_share")
