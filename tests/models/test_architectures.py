"""Architectures are what `transformers` builds: its own loss agrees, and settings reach the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.architectures import SIZES, Special, build_config, classifier, language_model

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)
ENCODERS = ("bert", "modernbert")


def config_of(architecture: str, dropout: float = 0.0):
    return build_config(architecture, "nano", SPECIAL, max_positions=32, dropout=dropout)


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "gpt2"])
def test_sizes_and_special_tokens_reach_the_configuration(architecture):
    config = config_of(architecture)
    size = SIZES["nano"]
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == size[:3]
    assert (config.vocab_size, config.pad_token_id, config.max_position_embeddings) == (64, 0, 32)


def test_modernbert_has_about_as_many_weights_as_bert():
    bert, modern = (
        sum(weight.numel() for name, weight in language_model("masked_lm", config_of(one)).named_parameters()
            if "embeddings" not in name)
        for one in ENCODERS
    )  # fmt: skip
    assert modern / bert == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("architecture", "objective"), [("bert", "causal_lm"), ("modernbert", "causal_lm"), ("gpt2", "masked_lm")]
)
def test_objective_that_an_architecture_cannot_learn_is_refused(architecture, objective):
    with pytest.raises(ValueError, match=f"architecture {architecture} does not fit objective {objective}: use "):
        language_model(objective, config_of(architecture))


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown size 'huge': expected one of nano, micro"):
        build_config("bert", "huge", SPECIAL, max_positions=8, dropout=0)


def test_same_seed_same_weights():
    def drawn(seed):
        torch.manual_seed(seed)
        return torch.cat([weight.flatten() for weight in language_model("causal_lm", config_of("gpt2")).parameters()])

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "gpt2"])
@pytest.mark.parametrize(("before", "after"), [(0.0, 0.4), (0.4, 0.0)])
def test_dropout_of_a_directory_is_replaced_everywhere(tmp_path, architecture, before, after):
    old = classifier(["a", "b"], config=config_of(architecture, before))
    old.save_pretrained(tmp_path)
    new = classifier(["a", "b"], start=tmp_path, dropout=after).train()
    fresh = classifier(["a", "b"], config=config_of(architecture, after))
    rates = [[one.p for one in model.modules() if isinstance(one, nn.Dropout)] for model in (new, fresh)]
    assert rates[0] == rates[1]
    new_config, fresh_config = ({k: v for k, v in m.config.to_dict().items() if "drop" in k} for m in (new, fresh))
    assert new_config == fresh_config
    ids = torch.randint(5, 64, (4, 16), generator=torch.Generator().manual_seed(0))
    outputs = [new(input_ids=ids).logits for _ in range(2)]
    assert torch.equal(*outputs) == (after == 0)


@pytest.mark.parametrize("architecture", ENCODERS)
def test_classifier_starts_from_the_body_of_a_language_model(tmp_path, architecture):
    base = language_model("masked_lm", config_of(architecture))
    base.save_pretrained(tmp_path)
    model = classifier(["x", "y", "z"], start=tmp_path)
    for name, weight in base.base_model.named_parameters():
        assert torch.equal(weight, dict(model.base_model.named_parameters())[name]), name
    assert model.config.id2label == {0: "x", 1: "y", 2: "z"}
    assert model.config.num_labels == 3
