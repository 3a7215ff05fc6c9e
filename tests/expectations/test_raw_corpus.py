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
        raw_corpus(min_documents=0), table().clear(), FACTS
    ).broken


def test_thresholds_are_those_of_the_recipe(judge):
    loose = RawPromises(min_documents=1, max_empty_share=0.1, max_quarantine_share=0.5, min_mean_words=1)
    frame = table(text=["", *texts[1:]])
    assert judge(raw_corpus(**loose.model_dump()), frame, {"read": 10, "quarantined": 5}).broken == set()
    keys = {check["meta"]["key"].rpartition(".")[2] for check in raw_corpus().checks} - {""}
    assert keys == set(RawPromises.model_fields)
