"""Each promise of `clean_corpus` is kept by one table and broken by another that differs in one respect."""

from __future__ import annotations

import polars as pl
import pytest

from expectations.clean_corpus import clean_corpus
from lmforge.recipe.promises import CleanPromises

FACTS = {"num_raw_documents": 12}
THRESHOLDS = {"min_documents": 10, "languages": ("en", "de"), "min_words": 3, "max_words": 8}


TEXTS = [f"a small text\tnumber\n{number}" for number in range(10)]


def table(**changes: list) -> pl.DataFrame:
    columns = {
        "id": [f"d{number}" for number in range(10)],
        "text": TEXTS,
        "source": ["a.jsonl"] * 10,
        "line": list(range(1, 11)),
        "language": ["en"] * 8 + ["de", "und"],
        "num_chars": [len(text) for text in TEXTS],
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
        ("text", "NÃ£o Ã© um cafÃ©", {"mojibake_share"}),
        ("num_words", 2, {"length_share"}),
        ("num_words", 9, {"length_share"}),
        ("num_chars", -1, {"characters_share"}),
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


def test_what_cannot_be_counted_is_broken(judge):
    verdict = judge(clean_corpus(**THRESHOLDS), with_last("num_words", None), FACTS)
    assert verdict.broken == {"length_share", "characters_share"}


@pytest.mark.parametrize(
    ("changes", "thresholds", "broken"),
    [
        ({"num_words": [5] * 8 + [8] * 2}, {"max_at_cap_share": 0.1}, {"at_cap_share"}),
        ({"language": ["und"] * 6 + ["en"] * 4}, {}, {"undetermined_share"}),
        ({"text": [*TEXTS[:9], "one\ntwo\n\none\none"]}, {}, {"repeated_lines_share"}),
        ({"text": [*TEXTS[:8], "x y" + " buy" * 30, "y x" + " buy" * 30]}, {}, {"repetitive_share"}),
        ({}, {"min_mean_words": 5.5}, {"mean_words"}),
        ({"num_words": [3] * 8 + [7, 7]}, {"max_p95_words": 6}, {"p95_words"}),
    ],
)
def test_length_language_and_repetition_can_be_broken(judge, changes, thresholds, broken):
    assert judge(clean_corpus(**THRESHOLDS, **thresholds, warn=()), table(**changes), FACTS).broken == broken


def test_personal_data_is_a_fault_where_it_was_to_be_masked_and_never_shown(judge, tmp_path):
    frame = with_last("text", "write to jane.doe@example.org please")
    assert judge(clean_corpus(**THRESHOLDS), frame, FACTS).broken == set()
    verdict = judge(clean_corpus(**THRESHOLDS, mask_personal_data=True), frame, FACTS)
    assert verdict.broken == {"personal_data_share"}
    assert verdict.offenders == {"'d9'"}
    assert not [path for path in tmp_path.iterdir() if "jane" in path.read_text(encoding="utf-8")]
    masked = with_last("text", "write to <EMAIL> please")
    assert judge(clean_corpus(**THRESHOLDS, mask_personal_data=True), masked, FACTS).broken == set()


THEN = {"then_num_rows": 10, "length_drift": 0.0, "vocabulary_drift": 0.0, "language_drift": 0.0}


@pytest.mark.parametrize(
    ("facts", "column"),
    [
        ({"then_num_rows": 21}, "volume_ratio"),
        ({"then_num_rows": 4}, "volume_ratio"),
        ({"length_drift": 0.26}, "length_drift"),
        ({"vocabulary_drift": 0.11}, "vocabulary_drift"),
        ({"language_drift": None}, "language_drift"),
    ],
)
def test_a_change_warns_and_stops_where_the_recipe_says_so(judge, facts, column):
    assert judge(clean_corpus(**THRESHOLDS), table(), FACTS | THEN, "key").warned == set()
    warned = judge(clean_corpus(**THRESHOLDS), table(), FACTS | THEN | facts, "key")
    assert (warned.broken, warned.warned, warned.skipped) == (set(), {column}, set())
    assert judge(clean_corpus(**THRESHOLDS, warn=()), table(), FACTS | THEN | facts, "key").broken == {column}


def test_first_run_says_that_nothing_was_compared(judge):
    verdict = judge(clean_corpus(**THRESHOLDS, warn=()), table(), FACTS)
    assert verdict.skipped == {"volume_ratio", "length_drift", "vocabulary_drift", "language_drift"}


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


@pytest.mark.parametrize("column", sorted(clean_corpus().columns))
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
    suite = clean_corpus(**CleanPromises().model_dump(), languages=("en",), max_words=100, mask_personal_data=True)
    keys = {check["meta"]["key"] for check in suite.checks} - {"", "corpus.validation_share"}
    assert {key.rpartition(".")[2] for key in keys} == set(CleanPromises.model_fields) - {"warn"}
