"""Each promise of `clean_corpus` is kept by one table and broken by another that differs in one respect."""

from __future__ import annotations

import polars as pl
import pytest

from expectations.clean_corpus import clean_corpus
from lmforge.recipe.promises import CleanPromises

FACTS = {"num_raw_documents": 12}
THRESHOLDS = {"min_documents": 10, "languages": ("en", "de"), "min_words": 3, "max_words": 8}


def table(**changes: list) -> pl.DataFrame:
    texts = [f"a small text\tnumber\n{number}" for number in range(10)]
    columns = {
        "id": [f"d{number}" for number in range(10)],
        "text": texts,
        "source": ["a.jsonl"] * 10,
        "line": list(range(1, 11)),
        "language": ["en"] * 8 + ["de", "und"],
        "num_chars": [len(text) for text in texts],
        "num_words": [5] * 10,
        "repaired": [False] * 10,
        "split": ["train"] * 8 + ["validation"] * 2,
    }
    return pl.DataFrame(columns | changes)


def with_last(column: str, value: object) -> pl.DataFrame:
    return table(**{column: [*table()[column].to_list()[:9], value]})


def test_good_table_passes(judge):
    verdict = judge(clean_corpus(**THRESHOLDS), table(), FACTS)
    assert verdict.broken == set()
    assert verdict.statistics["kept_share"] == pytest.approx(10 / 12)
    assert verdict.statistics["num_validation_documents"] == 2


@pytest.mark.parametrize(
    ("column", "value", "broken"),
    [
        ("text", "   ", {"empty_share"}),
        ("text", "a small text\tnumber\n0", {"duplicate_share"}),
        ("text", "a broken \ufffd text", {"replacement_character_share"}),
        ("text", "a bell \x07 rings", {"control_character_share"}),
        ("text", "a nul \x00 byte", {"control_character_share"}),
        ("num_words", 2, {"length_share"}),
        ("num_words", 9, {"length_share"}),
        ("num_words", None, {"length_share"}),
        ("language", "fr", {"language_share"}),
        ("language", None, {"language_share"}),
        ("split", "test", {"split_share"}),
        ("id", "d0", {"repeated_id_share"}),
    ],
)
def test_each_row_rule_can_be_broken(judge, column, value, broken):
    verdict = judge(clean_corpus(**THRESHOLDS), with_last(column, value), FACTS)
    assert verdict.broken == broken
    assert verdict.statistics[next(iter(broken))] == pytest.approx(0.1)
    assert verdict.offenders == {"'d0'" if column == "id" else "'d9'"}


@pytest.mark.parametrize(
    ("frame", "num_raw", "broken"),
    [
        (table().head(9), 9, {"num_rows"}),
        (table(), 100, {"kept_share"}),
        (table(), 5, {"kept_share"}),
        (table(), 0, {"kept_share"}),
        (table(split=["train"] * 10), 10, {"num_validation_documents"}),
        (table(split=["validation"] * 10), 10, {"num_train_documents"}),
    ],
)
def test_each_bound_can_be_broken(judge, frame, num_raw, broken):
    verdict = judge(clean_corpus(**THRESHOLDS), frame, {"num_raw_documents": num_raw})
    assert verdict.broken == broken


@pytest.mark.parametrize("column", table().columns)
def test_missing_column_is_broken(judge, column):
    assert "num_unfit_columns" in judge(clean_corpus(**THRESHOLDS), table().drop(column), FACTS).broken


def test_no_languages_allow_all_and_quotes_are_escaped(judge):
    french = table(language=["fr"] * 10)
    thresholds = THRESHOLDS | {"languages": ()}
    assert judge(clean_corpus(**thresholds), french, FACTS).broken == set()
    thresholds = THRESHOLDS | {"languages": ("fr", "x' OR 'a' = 'a")}
    assert judge(clean_corpus(**thresholds), french, FACTS).broken == set()
    assert judge(clean_corpus(**thresholds), table(), FACTS).broken == {"language_share"}


def test_duplicates_within_the_threshold_pass(judge):
    frame = with_last("text", table()["text"][0])
    assert judge(clean_corpus(**THRESHOLDS, max_duplicate_share=0.1), frame, FACTS).broken == set()


def test_thresholds_are_those_of_the_recipe():
    suite = clean_corpus(**CleanPromises().model_dump(), languages=("en",), min_words=5, max_words=100)
    keys = {check["meta"]["key"] for check in suite.checks} - {"", "corpus.validation_share"}
    assert {key.rpartition(".")[2] for key in keys} == set(CleanPromises.model_fields)
