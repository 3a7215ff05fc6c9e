"""The suite `clean_corpus`: what cleaning promises to tokenizing and pre-training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import polars as pl

from expectations.comparing import VOLUME, compared
from expectations.patterns import CONTROL_CHARACTERS, mojibake, personal_data_left, repeated_lines
from expectations.sharing import personal_residue, repeated_id, repetitive, wrongly_decoded
from expectations.suite import RowRule, Suite, bounded
from lmforge.recipe.cleaning import PersonalDataKind
from lmforge.recipe.promises import CleanPromises

KEY = "expectations.clean_corpus."
KINDS: tuple[str, ...] = get_args(PersonalDataKind)


def clean_corpus(
    *,
    languages: Sequence[str] = (),
    min_words: int = 1,
    max_words: int = 100_000,
    mask_personal_data: bool = False,
    personal_data: Sequence[str] = KINDS,
    **thresholds: Any,
) -> Suite:
    """Return the suite over the clean documents of both splits; thresholds: those of `CleanPromises`.

    Needs the fact `num_raw_documents`, and `repetitive_share` of the table's profile.
    languages: ISO 639-1 codes that a document may have besides "und" (undetermined); empty allows all.
    mask_personal_data, personal_data: whether cleaning masks personal data and of which kinds, so that what is left of
    them is a fault.
    """
    promises = CleanPromises(**thresholds)
    return Suite(
        name="clean_corpus",
        promise="Tokenizing can start: enough distinct, readable documents of the wanted languages, in two splits.",
        columns={
            **dict.fromkeys(("id", "text", "source", "language", "split"), "text"),
            **dict.fromkeys(("line", "num_chars", "num_words"), "number"),
        },
        derived={
            "id_key": pl.col("id").hash(seed=0),
            "text_key": pl.col("text").hash(seed=0),
            "mojibake": mojibake(),
            "personal_data": personal_data_left(personal_data),
            "repeated_lines": repeated_lines(),
        },
        rules=(
            *_text_rules(promises),
            *((personal_residue(KEY, "documents", promises.max_personal_data_share),) if mask_personal_data else ()),
            *_length_rules(min_words, max_words, promises.max_at_cap_share),
            *_language_rules(languages, promises.max_undetermined_share),
            _split(),
            repeated_id(),
        ),
        summary={
            "num_train_documents": "COUNT(CASE WHEN split = 'train' THEN 1 END)",
            "num_validation_documents": "COUNT(CASE WHEN split = 'validation' THEN 1 END)",
            "num_languages": "COUNT(DISTINCT language)",
            "mean_words": "AVG(num_words)",
            "p95_words": "QUANTILE_CONT(num_words, 0.95)",
            "mean_characters": "AVG(num_chars)",
        },
        ratios={"kept_share": "CAST(num_rows AS DOUBLE) / num_raw_documents", **VOLUME},
        expectations=(*_bounds(promises), *compared(KEY, "documents", promises)),
        warn=promises.warn,
    )


def _bounds(promises: CleanPromises) -> tuple[dict[str, Any], ...]:
    kept, least = "documents kept, as a share of the raw documents", promises.min_kept_share
    p95 = promises.max_p95_words
    return (
        bounded("num_rows", "number of documents", minimum=promises.min_documents, key=KEY + "min_documents"),
        bounded("kept_share", kept, minimum=least, maximum=1, key=KEY + "min_kept_share"),
        bounded("num_train_documents", "number of training documents", minimum=1, key="corpus.validation_share"),
        bounded("num_validation_documents", "number of validation documents", minimum=1, key="corpus.validation_share"),
        bounded("mean_words", "mean number of words", minimum=promises.min_mean_words, key=KEY + "min_mean_words"),
        bounded("p95_words", "words of 95 % of the documents", maximum=p95, key=KEY + "max_p95_words"),
        repetitive(KEY, "documents", promises.max_repetitive_share),
    )


def _split() -> RowRule:
    where, words = "split NOT IN ('train', 'validation')", "documents in an unknown split"
    return RowRule("split", where, 0.0, words, show=("split",))


def _text_rules(promises: CleanPromises) -> tuple[RowRule, ...]:
    return (
        RowRule("empty", r"NOT (text ~ '\S')", 0.0, "documents without text"),
        RowRule(
            "duplicate",
            "ROW_NUMBER() OVER (PARTITION BY text_key) > 1",
            promises.max_duplicate_share,
            "documents with the text of an earlier one",
            share="CAST(COUNT(*) - COUNT(DISTINCT text_key) AS DOUBLE) / COUNT(*)",
            key=KEY + "max_duplicate_share",
        ),
        RowRule(
            "replacement_character",
            "STRPOS(text, '\ufffd') > 0",
            promises.max_replacement_character_share,
            "documents with the replacement character U+FFFD",
            key=KEY + "max_replacement_character_share",
        ),
        RowRule(
            "control_character",
            f"text ~ '{CONTROL_CHARACTERS}'",
            promises.max_control_character_share,
            "documents with control characters",
            key=KEY + "max_control_character_share",
        ),
        RowRule(
            "repeated_lines",
            "repeated_lines",
            promises.max_repeated_lines_share,
            "documents of which three tenths of the lines are repetitions",
            key=KEY + "max_repeated_lines_share",
        ),
        wrongly_decoded(KEY, "documents", promises.max_mojibake_share),
    )


def _length_rules(min_words: int, max_words: int, at_cap: float) -> tuple[RowRule, ...]:
    outside = f"documents with fewer than {min_words} or more than {max_words} words"
    cut, key = f"documents of exactly {max_words} words, the largest allowed length", KEY + "max_at_cap_share"
    known = "num_words IS NOT NULL"
    return (
        RowRule("length", f"num_words NOT BETWEEN {min_words} AND {max_words}", 0.0, outside, show=("num_words",)),
        RowRule("characters", "num_chars < num_words", 0.0, "documents with fewer characters than words"),
        RowRule("at_cap", f"num_words = {max_words}", at_cap, cut, among=known, key=key),
    )


def _language_rules(languages: Sequence[str], undetermined: float) -> tuple[RowRule, ...]:
    words, key = "documents whose language could not be told", KEY + "max_undetermined_share"
    rule = RowRule("undetermined", "language = 'und'", undetermined, words, among="language IS NOT NULL", key=key)
    if not languages:
        return (rule,)
    wanted = ", ".join("'" + code.replace("'", "''") + "'" for code in (*languages, "und"))
    words = f"documents in a language other than {', '.join(languages)}"
    return (rule, RowRule("language", f"language NOT IN ({wanted})", 0.0, words, show=("language",)))
