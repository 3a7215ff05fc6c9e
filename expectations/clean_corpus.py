"""The suite `clean_corpus`: what cleaning promises to tokenizing and pre-training."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from expectations.raw_corpus import repeated_id
from expectations.suite import RowRule, Suite, bounded

KEY = "expectations.clean_corpus."
# Tab, line feed, form feed and carriage return are white space; the set is the one that ftfy removes.
CONTROL_CHARACTERS = r"[\x00-\x08\x0b\x0e-\x1f\x7f]"


def clean_corpus(
    *,
    min_documents: int = 100,
    min_kept_share: float = 0.2,
    max_replacement_character_share: float = 0.01,
    max_duplicate_share: float = 0.0,
    max_control_character_share: float = 0.0,
    languages: Sequence[str] = (),
    min_words: int = 1,
    max_words: int = 100_000,
) -> Suite:
    """Return the suite over the clean documents of both splits; needs the fact `num_raw_documents`.

    languages: ISO 639-1 codes that a document may have besides "und" (undetermined); empty allows all.
    """
    shares = (max_replacement_character_share, max_duplicate_share, max_control_character_share)
    return Suite(
        name="clean_corpus",
        promise="Tokenizing can start: enough distinct, readable documents of the wanted languages, in two splits.",
        columns={
            **dict.fromkeys(("id", "text", "source", "language", "split"), "text"),
            **dict.fromkeys(("line", "num_chars", "num_words"), "number"),
            "repaired": "any",
        },
        derived={"id_key": pl.col("id").hash(seed=0), "text_key": pl.col("text").hash(seed=0)},
        rules=(*_text_rules(*shares), *_field_rules(languages, min_words, max_words), repeated_id()),
        summary={
            "num_train_documents": "COUNT(CASE WHEN split = 'train' THEN 1 END)",
            "num_validation_documents": "COUNT(CASE WHEN split = 'validation' THEN 1 END)",
            "num_languages": "COUNT(DISTINCT language)",
            "mean_words": "AVG(num_words)",
            "mean_characters": "AVG(num_chars)",
        },
        ratios={"kept_share": "CAST(num_rows AS DOUBLE) / num_raw_documents"},
        expectations=(
            bounded("num_rows", "number of documents", minimum=min_documents, key=KEY + "min_documents"),
            bounded(
                "kept_share",
                "documents kept, as a share of the raw documents",
                minimum=min_kept_share,
                maximum=1,
                key=KEY + "min_kept_share",
            ),
            bounded("num_train_documents", "number of training documents", minimum=1, key="corpus.validation_share"),
            bounded(
                "num_validation_documents", "number of validation documents", minimum=1, key="corpus.validation_share"
            ),
        ),
    )


def _text_rules(replacement: float, duplicate: float, control: float) -> tuple[RowRule, ...]:
    return (
        RowRule("empty", r"NOT (text ~ '\S')", 0.0, "documents without text"),
        RowRule(
            "duplicate",
            "ROW_NUMBER() OVER (PARTITION BY text_key) > 1",
            duplicate,
            "documents with the text of an earlier one",
            share="CAST(COUNT(*) - COUNT(DISTINCT text_key) AS DOUBLE) / COUNT(*)",
            key=KEY + "max_duplicate_share",
        ),
        RowRule(
            "replacement_character",
            "STRPOS(text, '\ufffd') > 0",
            replacement,
            "documents with the replacement character U+FFFD",
            key=KEY + "max_replacement_character_share",
        ),
        RowRule(
            "control_character",
            f"text ~ '{CONTROL_CHARACTERS}'",
            control,
            "documents with control characters",
            key=KEY + "max_control_character_share",
        ),
    )


def _field_rules(languages: Sequence[str], min_words: int, max_words: int) -> tuple[RowRule, ...]:
    rules = (
        RowRule(
            "length",
            f"num_words NOT BETWEEN {min_words} AND {max_words}",
            0.0,
            f"documents with fewer than {min_words} or more than {max_words} words",
            show=("num_words",),
        ),
        RowRule("split", "split NOT IN ('train', 'validation')", 0.0, "documents in an unknown split", show=("split",)),
    )
    if not languages:
        return rules
    wanted = ", ".join("'" + code.replace("'", "''") + "'" for code in (*languages, "und"))
    words = f"documents in a language other than {', '.join(languages)}"
    return (*rules, RowRule("language", f"language NOT IN ({wanted})", 0.0, words, show=("language",)))
