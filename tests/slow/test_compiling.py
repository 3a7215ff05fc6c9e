"""A compiled network learns what the plain one learns, and resumes exactly."""

import pytest
import torch

from models.architectures import Special, build_config, language_model
from models.compiling import compile_layers
from models.objectives import OBJECTIVES

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=90)


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_layers_give_the_same_loss_and_gradients(dynamic):
    import numpy as np

    torch.manual_seed(0)
    model = language_model("masked_lm", build_config("bert", "nano", SPECIAL, max_positions=32, dropout=0.0))
    objective = OBJECTIVES["masked_lm"](SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5)
    rows = np.random.default_rng(0).integers(5, 90, (4, 16)).astype(np.uint16)
    batch = objective.collate(rows, np.random.default_rng(1))
    weights = list(model.parameters())
    plain = objective.loss(model, batch)
    expected = torch.autograd.grad(plain, weights, allow_unused=True)
    assert compile_layers(model, dynamic=dynamic) == 2
    loss = objective.loss(model, batch)
    torch.testing.assert_close(loss, plain, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(torch.autograd.grad(loss, weights, allow_unused=True), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
