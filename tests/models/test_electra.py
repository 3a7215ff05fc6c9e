"""A detector with a generator: shared embeddings, a smaller body, and only the detector is left in the end."""

from __future__ import annotations

import pytest
import torch
from transformers import ElectraForPreTraining

from models.architectures import SIZES, Special, build_config, classifier, language_model, load_language_model, released
from models.electra import generator_config
from models.lightning_module import decayed_names, parameter_groups

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)


def pair(size: str = "nano"):
    torch.manual_seed(0)
    config = build_config("electra", size, SPECIAL, max_positions=32, dropout=0.0)
    return language_model("replaced_token_detection", config).eval()


def test_embeddings_are_one_module():
    model = pair()
    assert model.generator.electra.embeddings is model.electra.embeddings
    assert model.generator.generator_lm_head.weight is model.electra.embeddings.word_embeddings.weight
    decayed, others = parameter_groups(model, decayed_names(model))
    assert len({id(one) for one in (*decayed, *others)}) == len(decayed) + len(others) == len(list(model.parameters()))


@pytest.mark.parametrize("size", SIZES)
def test_generator_is_about_a_quarter_wide_and_fits_its_heads(size):
    config = build_config("electra", size, SPECIAL, max_positions=32, dropout=0.0)
    smaller = generator_config(config, 0.25)
    assert 0.25 <= smaller.hidden_size / config.hidden_size <= 0.34
    assert smaller.hidden_size % smaller.num_attention_heads == 0
    assert smaller.intermediate_size / config.intermediate_size == pytest.approx(
        smaller.hidden_size / config.hidden_size
    )
    assert smaller.embedding_size == config.embedding_size == config.hidden_size
    assert generator_config(config, 1.0).to_dict() == config.to_dict()


def test_what_is_released_is_a_plain_detector_that_says_the_same(tmp_path):
    model = pair()
    alone = released(model)
    assert type(alone) is ElectraForPreTraining
    assert not alone.training
    assert not [name for name in alone.state_dict() if "generator" in name]
    alone.save_pretrained(tmp_path)
    loaded = load_language_model("replaced_token_detection", tmp_path)
    ids = torch.randint(5, 64, (2, 16), generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded(input_ids=ids).logits, model(input_ids=ids).logits)
    assert loaded.config.architectures == ["ElectraForPreTraining"]


def test_classifier_starts_from_the_detector(tmp_path):
    model = pair()
    released(model).save_pretrained(tmp_path)
    body = dict(classifier(["x", "y"], start=tmp_path).base_model.named_parameters())
    assert all(torch.equal(weight, body[name]) for name, weight in model.electra.named_parameters())


def test_other_models_are_released_as_they_are():
    config = build_config("bert", "nano", SPECIAL, max_positions=32, dropout=0.0)
    model = language_model("masked_lm", config)
    assert released(model) is model
