"""Dimensions and special tokens reach every configuration, and what makes an architecture itself is in its network."""

from __future__ import annotations

import pytest
import torch

from models.architectures import language_model
from models.configurations import SIZES, Special, build_config, with_dropout
from models.fitting import DECODERS, ENCODER_DECODERS, ENCODERS

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)
OBJECTIVE = dict.fromkeys(ENCODERS, "masked_lm") | dict.fromkeys(DECODERS, "causal_lm")
OBJECTIVE |= dict.fromkeys(ENCODER_DECODERS, "denoising")


def config_of(architecture: str, size: str = "nano", dropout: float = 0.0):
    return build_config(architecture, size, SPECIAL, max_positions=32, dropout=dropout)


def network_of(architecture: str):
    return language_model(OBJECTIVE[architecture], config_of(architecture)).eval()


@pytest.mark.parametrize("architecture", OBJECTIVE)
@pytest.mark.parametrize("size", SIZES)
def test_sizes_and_special_tokens_reach_the_configuration(architecture, size):
    config = config_of(architecture, size)
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == SIZES[size][:3]
    assert (config.vocab_size, config.max_position_embeddings) == (64, 32)
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 2, 3)


@pytest.mark.parametrize(("architecture", "start"), [("t5", SPECIAL.pad), ("bart", SPECIAL.sep)])
def test_decoders_start_as_in_the_papers_code(architecture, start):
    model = network_of(architecture)
    assert model.prepare_decoder_input_ids_from_labels(torch.tensor([[7, 8, 9]])).tolist() == [[start, 7, 8]]
    assert model.generation_config.decoder_start_token_id == start
    assert model.generation_config.eos_token_id == SPECIAL.sep


@pytest.mark.parametrize("architecture", OBJECTIVE)
def test_dropout_is_zero_or_everywhere(architecture):
    # "summary" belongs to heads for other problems, which nothing here builds.
    for dropout in (0.0, 0.3):
        config = config_of(architecture, dropout=dropout)
        rates = {name: rate for name, rate in config.to_dict().items() if "drop" in name and "summary" not in name}
        assert set(rates.values()) <= {0, dropout, None}, rates
        assert dropout in rates.values()
        assert with_dropout(config_of(architecture), dropout).to_dict() == config.to_dict()


def test_llama_has_rotary_positions_gated_units_and_no_biases():
    model = network_of("llama")
    names = [name for name, _ in model.named_parameters()]
    assert not [name for name in names if name.endswith("bias")]
    assert not [name for name in names if "position" in name], "rotary: nothing learnt"
    assert {"RMS" in type(module).__name__ for module in model.modules() if "Norm" in type(module).__name__} == {True}
    assert [name for name in names if "layers.0.mlp.gate_proj" in name]
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_t5_is_of_the_second_version_but_tied():
    model = network_of("t5")
    gates = [name for name, _ in model.named_parameters() if name.endswith("wi_1.weight")]
    assert len(gates) == 4, "two layers in each stack"
    assert model.lm_head.weight is model.shared.weight
    assert model.config.scale_decoder_outputs, "tied embeddings are scaled, as in the first version"


def test_gated_networks_have_about_as_many_weights_as_plain_ones():
    def body(architecture: str) -> int:
        weights = network_of(architecture).named_parameters()
        return sum(
            one.numel() for name, one in weights if not any(part in name for part in ("embed", "shared", "wte", "wpe"))
        )

    assert body("llama") / body("gpt2") == pytest.approx(1, abs=0.1)
    assert body("t5") / body("bart") == pytest.approx(1, abs=0.1)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown size 'huge': expected one of nano, micro"):
        config_of("bert", "huge")
    with pytest.raises(
        ValueError, match="unknown architecture 'lstm': expected one of bert, modernbert, gpt2, electra"
    ):
        config_of("lstm")


def test_the_activation_of_gpt2_is_its_own_function():
    from transformers.activations import ACT2FN

    config = build_config("gpt2", "nano", SPECIAL, max_positions=32, dropout=0.0)
    values = torch.linspace(-8, 8, 1001)
    torch.testing.assert_close(ACT2FN[config.activation_function](values), ACT2FN["gelu_new"](values))
