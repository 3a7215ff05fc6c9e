"""Fused activations and norms: values and gradients of transformers' own, under the same names."""

import copy

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from models.architectures import Special, build_config, language_model
from models.compiling import compile_layers
from models.fusing import fuse
from tests.models.gradients import assert_same, with_gradients

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=90)


def build(architecture):
    torch.manual_seed(0)
    if architecture == "stock gpt2":  # ours has another name for its activation
        return GPT2LMHeadModel(GPT2Config(vocab_size=90, n_embd=32, n_layer=2, n_head=2, n_positions=32)).eval()
    config = build_config(architecture, "nano", SPECIAL, max_positions=32, dropout=0.0)
    return language_model("span_corruption" if architecture == "t5" else "causal_lm", config).eval()


def logits(model):
    ids = torch.arange(5, 29).view(2, 12)
    with_decoder = {"decoder_input_ids": ids.flip(1)} if model.config.is_encoder_decoder else {}
    return model(input_ids=ids, **with_decoder).logits


@pytest.mark.parametrize("architecture", ["t5", "llama", "stock gpt2"])
def test_values_and_gradients_are_those_of_the_network_as_it_is(architecture):
    model = build(architecture)
    fused = copy.deepcopy(model)
    fuse(fused)
    assert str(fused) != str(model) or architecture == "llama"
    assert fused.state_dict().keys() == model.state_dict().keys()
    assert fused.config.to_dict() == model.config.to_dict()
    with torch.no_grad():
        for name, gain in [(name, one) for name, one in model.named_parameters() if one.ndim == 1]:
            gain += 0.1 * torch.randn(gain.shape)  # gains of one hide a mistake
            fused.get_parameter(name).copy_(gain)
    assert_same(with_gradients(fused, logits(fused)), with_gradients(model, logits(model)))


def test_the_gradient_of_a_norm_is_right_to_the_last_digits_of_double_precision():
    norm = LlamaRMSNorm(6)
    fuse(torch.nn.ModuleList([norm]))
    function = norm.forward.__globals__["_RootMeanSquareNorm"]
    torch.manual_seed(0)
    given = [torch.randn(3, 4, 6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)]
    assert torch.autograd.gradcheck(lambda *two: function.apply(*two, 1e-6), [one.requires_grad_() for one in given])


def test_half_precision_keeps_the_norm_of_transformers():
    norm, hidden = LlamaRMSNorm(6), torch.randn(2, 6).bfloat16()
    expected = norm(hidden)
    fuse(torch.nn.ModuleList([norm]))
    torch.testing.assert_close(norm(hidden), expected, rtol=0, atol=0)


def test_a_copy_computes_with_its_own_weights():
    model = build("llama")
    fuse(model)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.model.norm.weight.zero_()
    assert logits(other).abs().max() == 0
    assert logits(model).abs().max() > 0


def test_compiled_layers_do_not_take_it():
    model = build("llama")
    fuse(model)
    expected = logits(model).detach()
    compile_layers(model, dynamic=False)
    torch.testing.assert_close(logits(model).detach(), expected, rtol=1e-4, atol=1e-5)
