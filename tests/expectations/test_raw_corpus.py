"""Each promise of `raw_corpus` is kept by one table and broken by another that differs in one respect."""

from __future__ import annotations

import polars as pl
import pytest

from expectations.raw_corpus import raw_corpus
from lmforge.recipe.promises import RawPromises

FACTS = {"read": 10, "quarantined": 0}


def table(**changes: list) -> pl.DataFrame:
    columns = {
        "id": [f"d{number}" for number in range(10)],
        "text": [f"a small text number {number}" for number in range(10)],
        "source": ["a.jsonl"] * 10,
        "line": list(range(1, 11)),
    }
    return pl.DataFrame(columns | changes)


def test_good_table_passes(judge):
    verdict = judge(raw_corpus(min_documents=10), table(), FACTS)
    assert verdict.broken == set()
    assert verdict.statistics["mean_words"] == 5.0
    assert verdict.statistics["num_sources"] == 1


texts = table()["text"].to_list()
ids = table()["id"].to_list()


@pytest.mark.parametrize(
    ("frame", "facts", "broken", "offenders"),
    [
        (table(text=["", *texts[1:]]), FACTS, {"empty_share"}, {"'d0'"}),
        (table(text=[*texts[:9], " \n\t "]), FACTS, {"empty_share"}, {"'d9'"}),
        (table(text=[*texts[:9], None]), FACTS, {"empty_share"}, {"'d9'"}),
        (table(id=["d1", *ids[1:]]), FACTS, {"repeated_id_share"}, {"'d1'"}),
        (table(id=[*ids[:9], ""]), FACTS, {"repeated_id_share"}, {"''"}),
        (table(id=[*ids[:9], None]), FACTS, {"repeated_id_share"}, {"None"}),
        (table(source=["", *["a"] * 9]), FACTS, {"unplaced_share"}, {"'d0'"}),
        (table(line=[-1, *range(9)]), FACTS, {"unplaced_share"}, {"'d0'"}),
        (table(line=[None, *range(9)]), FACTS, {"unplaced_share"}, {"'d0'"}),
        (table(text=["ab"] * 10), FACTS, {"mean_words"}, set()),
        (table().head(9), FACTS, {"num_rows"}, set()),
        (table(), {"read": 10, "quarantined": 1}, {"quarantine_share"}, set()),
        (table(), {"read": 0, "quarantined": 0}, {"quarantine_share"}, set()),
        (table(), {}, {"quarantine_share"}, set()),
    ],
)
def test_each_promise_can_be_broken(judge, frame, facts, broken, offenders):
    verdict = judge(raw_corpus(min_documents=10), frame, facts)
    assert verdict.broken == broken
    assert verdict.offenders == offenders


@pytest.mark.parametrize("column", ["id", "text", "source", "line"])
def test_missing_column_is_broken(judge, column):
    assert "num_unfit_columns" in judge(raw_corpus(min_documents=10), table().drop(column), FACTS).broken


def test_empty_table_never_passes(judge):
    assert {"num_rows", "empty_share", "mean_words"} <= judge(
        raw_corpus(min_documents=1), table().clear(), FACTS
    ).broken


def test_thresholds_are_those_of_the_recipe(judge):
    loose = RawPromises(min_documents=1, max_empty_share=0.1, max_quarantine_share=0.5, min_mean_words=1)
    frame = table(text=["", *texts[1:]])
    assert judge(raw_corpus(**loose.model_dump()), frame, {"read": 10, "quarantined": 5}).broken == set()
    keys = {check["meta"]["key"].rpartition(".")[2] for check in raw_corpus().checks} - {""}
    assert keys == set(RawPromises.model_fields) - {"warn", "max_unlicensed_share"}


def test_warnings_do_not_stop(judge):
    frame = table(text=[*texts[:8], "NÃ£o Ã© um cafÃ©", "Ð¿ÑƒÑ‚ÑŒ is a path"])
    verdict = judge(raw_corpus(min_documents=10), frame, FACTS)
    assert (verdict.broken, verdict.warned, verdict.offenders) == (set(), {"mojibake_share"}, {"'d8'", "'d9'"})
    assert judge(raw_corpus(min_documents=10, warn=()), frame, FACTS).broken == {"mojibake_share"}


def test_licences_are_asked_for_on_demand(judge):
    suite = raw_corpus(min_documents=10, max_unlicensed_share=0.1)
    assert "num_unfit_columns" in judge(suite, table(), FACTS).broken
    assert judge(suite, table(license=[None] + ["MIT"] * 9), FACTS).broken == set()
    assert judge(suite, table(license=[None, " "] + ["MIT"] * 8), FACTS).broken == {"unlicensed_share"}


def test_repetition_in_a_sample_warns(judge):
    frame = table(text=[*texts[:9], "x" + " buy" * 30])
    assert judge(raw_corpus(min_documents=10), frame, FACTS).warned == {"repetitive_share"}


@pytest.mark.parametrize(
    ("facts", "broken", "warned"),
    [
        ({"then_num_rows": 20}, set(), set()),
        ({"then_num_rows": 21}, {"volume_ratio"}, set()),
        ({"then_num_rows": 4}, set(), {"volume_ratio"}),
        ({"then_num_rows": 10, "length_drift": 0.3}, set(), {"length_drift"}),
        ({"then_num_rows": 10, "vocabulary_drift": 0.3}, set(), {"vocabulary_drift"}),
    ],
)
def test_a_corpus_that_halves_stops_and_other_changes_warn(judge, facts, broken, warned):
    then = {"length_drift": 0.0, "vocabulary_drift": 0.0}
    verdict = judge(raw_corpus(min_documents=10), table(), FACTS | then | facts, "key")
    assert (verdict.broken, verdict.warned) == (broken, warned)
