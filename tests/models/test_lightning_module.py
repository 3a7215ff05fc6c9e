"""The optimizer follows the schedule, weight decay where it belongs, and dropout as a function of the step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from models.architectures import Special, build_config, language_model
from models.lightning_module import LanguageModule, decayed_names, parameter_groups
from models.objectives import OBJECTIVES

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)


def module_of(architecture: str = "gpt2", dropout: float = 0.0) -> LanguageModule:
    config = build_config(architecture, "nano", SPECIAL, max_positions=16, dropout=dropout)
    objective = "causal_lm" if architecture == "gpt2" else "masked_lm"
    settings = {"warmup_steps": 2, "max_steps": 10, "schedule": "linear", "weight_decay": 0.1, "betas": (0.9, 0.98)}
    return LanguageModule(
        language_model(objective, config), OBJECTIVES["causal_lm"](), learning_rate=0.5, seed=3, **settings
    )


def causal_batch() -> dict[str, torch.Tensor]:
    return OBJECTIVES["causal_lm"]().collate(np.arange(5, 21)[None], np.random.default_rng(0))


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "gpt2"])
def test_only_matrices_decay(architecture):
    model = module_of(architecture).model
    decayed, others = parameter_groups(model, decayed_names(model))
    assert len(decayed) + len(others) == len(list(model.parameters()))
    assert {weight.ndim for weight in decayed} == {2}
    embeddings = [one.weight for one in model.modules() if isinstance(one, nn.Embedding)]
    assert embeddings
    free = {id(weight) for weight in others}
    assert all(id(weight) in free for weight in embeddings)
    assert all(weight.ndim == 1 or id(weight) in {id(one) for one in embeddings} for weight in others)


def test_frozen_weights_are_left_out():
    model = module_of().model
    model.base_model.requires_grad_(False)
    assert sum(map(len, parameter_groups(model, decayed_names(model)))) < len(list(model.parameters()))


def test_optimizer_follows_the_schedule():
    made = module_of().configure_optimizers()
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    assert made["lr_scheduler"]["interval"] == "step"
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.25, 0.5, 0.5, 0.4375])


def test_dropout_is_a_function_of_seed_and_step():
    module = module_of(dropout=0.3).train()
    batch = causal_batch()

    def loss() -> float:
        module.on_train_batch_start(batch, 0)
        return module.training_step(batch, 0).item()

    first = loss()
    torch.rand(3)
    assert loss() == first
    module.seed = 4
    assert loss() != first


def test_position_ahead_of_the_steps_lowers_the_rate():
    module = module_of()
    made = module.configure_optimizers()
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    module.position = 6.0
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.25)


def test_gradient_norm_is_that_before_clipping():
    module = module_of()
    module.training_step(causal_batch(), 0).backward()
    norm = torch.cat([weight.grad.flatten() for weight in module.parameters()]).norm().item()
    module.configure_gradient_clipping(module.configure_optimizers()["optimizer"], gradient_clip_val=norm / 4)
    clipped = torch.cat([weight.grad.flatten() for weight in module.parameters()]).norm().item()
    assert module.gradient_norm == pytest.approx(norm, rel=1e-4)
    assert clipped == pytest.approx(norm / 4, rel=1e-4)
    assert module.step_loss == pytest.approx(module.training_step(causal_batch(), 0).item())


@pytest.mark.parametrize("poisoned", ["loss", "gradient"])
def test_step_that_is_not_finite_changes_neither_weights_nor_moments(poisoned):
    module = module_of()
    optimizer = module.configure_optimizers()["optimizer"]

    def step(poison: bool) -> None:
        module.training_step(causal_batch(), 0).backward()
        if poison and poisoned == "loss":
            module.step_loss = float("inf")
        elif poison:
            next(module.parameters()).grad[0, 0] = float("nan")
        module.configure_gradient_clipping(optimizer, gradient_clip_val=1.0)
        optimizer.step()

    step(poison=False)
    assert module.gradient_norm is not None
    weights = [weight.detach().clone() for weight in module.parameters()]
    moments = [state["exp_avg"].clone() for state in optimizer.state.values()]
    step(poison=True)
    assert module.gradient_norm is None
    assert all(torch.equal(one, two) for one, two in zip(weights, module.parameters(), strict=True))
    kept = [state["exp_avg"] for state in optimizer.state.values()]
    assert all(torch.equal(one, two) for one, two in zip(moments, kept, strict=True))
