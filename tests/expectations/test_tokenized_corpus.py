"""Each promise of `tokenized_corpus` is kept by one set of facts and broken by another that differs in one of them."""

from __future__ import annotations

import math

import pytest

from expectations.tokenized_corpus import tokenized_corpus
from lmforge.recipe.model_promises import TokenizedPromises

FACTS = {
    "num_train_blocks": 8,
    "num_validation_blocks": 1,
    "num_tokens": 1200,
    "num_words": 1000,
    "unknown_share": 0.01,
    "vocabulary_used_share": 0.9,
    "vocab_size": 300,
    "max_token_id": 299,
    "train_fill_rate": 0.98,
}


def test_good_facts_pass(judge):
    verdict = judge(tokenized_corpus(), facts=FACTS)
    assert verdict.broken == set()
    assert verdict.statistics["tokens_per_word"] == 1.2
    assert verdict.statistics["num_ids_above_largest"] == 0


@pytest.mark.parametrize(
    ("fact", "value", "broken"),
    [
        ("num_train_blocks", 7, {"num_train_blocks"}),
        ("num_validation_blocks", 0, {"num_validation_blocks"}),
        ("num_tokens", 0, {"num_tokens"}),
        ("num_tokens", -1, {"num_tokens", "tokens_per_word"}),
        ("num_words", 299, {"tokens_per_word"}),
        ("num_words", 0, {"tokens_per_word"}),
        ("unknown_share", 0.02, {"unknown_share"}),
        ("unknown_share", math.nan, {"unknown_share"}),
        ("unknown_share", -math.inf, {"unknown_share"}),
        ("vocabulary_used_share", 0.4, {"vocabulary_used_share"}),
        ("vocabulary_used_share", math.inf, {"vocabulary_used_share"}),
        ("max_token_id", 300, {"num_ids_above_largest"}),
    ],
)
def test_each_promise_can_be_broken(judge, fact, value, broken):
    assert judge(tokenized_corpus(), facts=FACTS | {fact: value}).broken == broken


def test_rows_of_padding_warn(judge):
    verdict = judge(tokenized_corpus(), facts=FACTS | {"train_fill_rate": 0.89})
    assert (verdict.broken, verdict.warned) == (set(), {"train_fill_rate"})


def test_missing_facts_never_pass(judge):
    verdict = judge(tokenized_corpus(warn=()), facts={}, compared_with="key")
    assert verdict.broken == {check["kwargs"]["column"] for check in tokenized_corpus().checks}


@pytest.mark.parametrize(
    ("then", "warned"),
    [
        ({"then_num_tokens": 1200, "then_tokens_per_word": 1.2}, set()),
        ({"then_num_tokens": 2500, "then_tokens_per_word": 1.2}, {"volume_ratio"}),
        ({"then_num_tokens": 500, "then_tokens_per_word": 1.2}, {"volume_ratio"}),
        ({"then_num_tokens": 1200, "then_tokens_per_word": 0.9}, {"fertility_drift"}),
        ({"then_num_tokens": 1200, "then_tokens_per_word": 1.6}, {"fertility_drift"}),
    ],
)
def test_changes_warn(judge, then, warned):
    verdict = judge(tokenized_corpus(), facts=FACTS | then, compared_with="key")
    assert (verdict.broken, verdict.warned) == (set(), warned)


def test_thresholds_are_those_of_the_recipe():
    suite = tokenized_corpus(**TokenizedPromises().model_dump())
    keys = {check["meta"]["key"] for check in suite.checks} - {"", "corpus.validation_share"}
    assert {key.rpartition(".")[2] for key in keys} == set(TokenizedPromises.model_fields) - {"warn"}
