"""Which modules are compiled, and that the compiled network learns what the plain one learns."""

import shutil

import numpy as np
import pytest
import torch

from models.architectures import Special, build_config, language_model
from models.compiling import compile_layers, plain_layers
from models.objectives import OBJECTIVES

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=90)


@pytest.mark.parametrize(
    ("architecture", "objective", "num_layers"),
    [
        # But for the last ones of masked language models, which compute what is read.
        ("bert", "masked_lm", 1),
        ("modernbert", "masked_lm", 2),
        ("electra", "replaced_token_detection", 2),
        ("gpt2", "causal_lm", 2),
        ("llama", "causal_lm", 2),
        ("t5", "span_corruption", 4),
        ("bart", "denoising", 4),
    ],
)
def test_the_layers_of_every_stack_are_compiled_and_nothing_else(architecture, objective, num_layers):
    model = language_model(objective, build_config(architecture, "nano", SPECIAL, max_positions=32, dropout=0.0))
    names = list(model.state_dict())
    assert compile_layers(model, dynamic=False) == num_layers
    compiled = [module for module in model.modules() if module._compiled_call_impl is not None]
    assert len(compiled) == num_layers
    assert list(model.state_dict()) == names
    plain_layers(model)
    assert all(module._compiled_call_impl is None for module in model.modules())


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_layers_give_the_same_loss_and_gradients(dynamic):
    torch.manual_seed(0)
    model = language_model("masked_lm", build_config("bert", "nano", SPECIAL, max_positions=32, dropout=0.0))
    objective = OBJECTIVES["masked_lm"](SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5)
    rows = np.random.default_rng(0).integers(5, 90, (4, 16)).astype(np.uint16)
    batch = objective.collate(rows, np.random.default_rng(1))
    weights = list(model.parameters())
    plain = objective.loss(model, batch)
    expected = torch.autograd.grad(plain, weights, allow_unused=True)
    assert compile_layers(model, dynamic=dynamic) == 1, "the last one computes only what is read"
    loss = objective.loss(model, batch)
    torch.testing.assert_close(loss, plain, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(torch.autograd.grad(loss, weights, allow_unused=True), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
