"""The network of a spec: new, of another model's form, or going on; what does not fit is the user's to mend."""

from __future__ import annotations

import logging

import pytest
import torch

from lmforge.errors import InputError
from lmforge.recipe.mixing import Mixed
from lmforge.training.building import build_model

ORDER = (Mixed(objective="sentence_order", share=0.3),)


@pytest.fixture
def start(make_spec, training_data, tmp_path):
    """A masked language model with its tokenizer."""
    torch.manual_seed(5)
    model = build_model(make_spec())
    directory = tmp_path / "start"
    model.save_pretrained(directory)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (directory / name).write_bytes((training_data / "tokenizer" / name).read_bytes())
    return directory


def equal(one, other):
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_mixture_has_the_heads_of_all(make_spec):
    assert type(build_model(make_spec())).__name__ == "BertForMaskedLM"
    assert type(build_model(make_spec(mixture=ORDER))).__name__ == "BertForPreTraining"


def test_going_on_keeps_the_weights_and_names_new_heads(make_spec, start, caplog):
    begun = build_model(make_spec())
    with caplog.at_level(logging.INFO, "lmforge"):
        alone, mixed = (build_model(make_spec(start=start, **parts)) for parts in ({}, {"mixture": ORDER}))
    assert not equal(begun, alone)
    assert torch.equal(mixed.bert.embeddings.word_embeddings.weight, alone.bert.embeddings.word_embeddings.weight)
    (line,) = [record.getMessage() for record in caplog.records if "drawn from the seed" in record.getMessage()]
    assert "cls.seq_relationship.weight" in line
    assert "bert.pooler.dense.weight" in line


def test_the_same_network_with_new_weights(make_spec, start):
    spec = make_spec().model_copy(update={"network": start, "architecture": "gpt2", "size": "base"})
    new = build_model(spec)
    begun = build_model(make_spec(start=start))
    assert type(new) is type(begun)
    assert new.num_parameters() == begun.num_parameters()
    assert not equal(new, begun)


def test_what_does_not_fit_is_bad_input(make_spec, start):
    with pytest.raises(InputError, match="max_seq_length 600 is more than the 512 positions of"):
        build_model(make_spec(start=start, max_seq_length=600))
    with pytest.raises(InputError, match="architecture bert does not fit objective causal_lm"):
        build_model(make_spec(start=start, objective="causal_lm"))
    with pytest.raises(InputError, match="no model that can be started from"):
        build_model(make_spec().model_copy(update={"start": start / "absent"}))
    small = build_model(make_spec())
    small.resize_token_embeddings(500)
    small.save_pretrained(start)
    with pytest.raises(InputError, match=r"has 600 tokens, but .* has 500"):
        build_model(make_spec(start=start))
