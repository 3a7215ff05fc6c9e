"""The facts of a card are strict, and their names are safe to put into code."""

import pytest
from pydantic import ValidationError

from lmforge.release.card_facts import CardFacts

SMALLEST = {
    "registered_model": "news-topic",
    "pipeline_tag": "fill-mask",
    "objective": "fills in words",
    "architecture": {},
    "num_parameters": 1,
    "data": (),
    "tokenizer": {},
    "fingerprints": {},
}


def test_the_smallest_facts_are_enough():
    assert CardFacts(**SMALLEST).results == ()


@pytest.mark.parametrize(
    "change",
    [{"registered_model": 'x"); evil('}, {"pipeline_tag": "poetry"}, {"unknown": 1}, {"architecture": {"a": [1]}}],
)
def test_what_does_not_fit_is_refused(change):
    with pytest.raises(ValidationError):
        CardFacts(**SMALLEST | change)


def test_facts_survive_json():
    facts = CardFacts(**SMALLEST)
    assert CardFacts.model_validate_json(facts.model_dump_json()) == facts
