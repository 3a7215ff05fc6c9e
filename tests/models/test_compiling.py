"""Which modules are compiled; that the compiled network learns the same is a part of the slow tests."""

import pytest

from models.architectures import Special, build_config, language_model
from models.compiling import compile_layers, plain_layers

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
