"""The suite `raw_corpus`: what collecting promises to cleaning."""

from __future__ import annotations

import polars as pl

from expectations.suite import RowRule, Suite, bounded

KEY = "expectations.raw_corpus."


def raw_corpus(
    *,
    min_documents: int = 100,
    max_empty_share: float = 0.05,
    max_quarantine_share: float = 0.05,
    min_mean_words: float = 3.0,
) -> Suite:
    """Return the suite over the collected documents; needs the facts `read` and `quarantined` (records)."""
    return Suite(
        name="raw_corpus",
        promise="Cleaning can start: enough records were readable, nearly all hold text, and each is named once.",
        columns={"id": "text", "text": "text", "source": "text", "line": "number"},
        derived={
            "id_key": pl.col("id").hash(seed=0),
            "words": pl.col("text").str.count_matches(r"\S+"),
            "characters": pl.col("text").str.len_chars(),
        },
        rules=(
            RowRule(
                "empty", r"NOT (text ~ '\S')", max_empty_share, "documents without text", key=KEY + "max_empty_share"
            ),
            repeated_id(),
        ),
        summary={
            "mean_words": "AVG(words)",
            "mean_characters": "AVG(characters)",
            "num_sources": "COUNT(DISTINCT source)",
        },
        ratios={"quarantine_share": "CAST(quarantined AS DOUBLE) / read"},
        expectations=(
            bounded("num_rows", "number of documents", minimum=min_documents, key=KEY + "min_documents"),
            bounded(
                "quarantine_share",
                "share of records that could not be read",
                minimum=0,
                maximum=max_quarantine_share,
                key=KEY + "max_quarantine_share",
            ),
            bounded("mean_words", "mean number of words", minimum=min_mean_words, key=KEY + "min_mean_words"),
        ),
    )


def repeated_id(words: str = "documents with the id of an earlier one") -> RowRule:
    """Return the rule that each id occurs once; the suite must derive `id_key`, a hash of the id."""
    return RowRule(
        "repeated_id",
        "ROW_NUMBER() OVER (PARTITION BY id_key) > 1 OR id IS NULL OR id = ''",
        0.0,
        words,
        share="CAST(COUNT(*) - COUNT(DISTINCT CASE WHEN id <> '' THEN id_key END) AS DOUBLE) / COUNT(*)",
    )
