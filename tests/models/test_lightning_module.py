"""Schedules at their corners, weight decay where it belongs, and dropout as a function of the step."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from models.architectures import Special, build_config, language_model
from models.lightning_module import SCHEDULES, LanguageModule, parameter_groups
from models.objectives import OBJECTIVES

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)


def module_of(architecture: str = "gpt2", dropout: float = 0.0) -> LanguageModule:
    config = build_config(architecture, "nano", SPECIAL, max_positions=16, dropout=dropout)
    objective = "causal_lm" if architecture == "gpt2" else "masked_lm"
    settings = {"warmup_steps": 2, "max_steps": 10, "schedule": "linear", "weight_decay": 0.1, "betas": (0.9, 0.98)}
    return LanguageModule(
        language_model(objective, config), OBJECTIVES["causal_lm"](), learning_rate=0.5, seed=3, **settings
    )


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("linear", {0: 0.1, 9: 1.0, 10: 1.0, 55: 0.5, 99: 1 / 90, 100: 0.0, 101: 0.0}),
        ("cosine", {0: 0.1, 9: 1.0, 10: 1.0, 55: 0.5, 100: 0.0, 101: 0.0}),
        ("trapezoid", {0: 0.1, 9: 1.0, 10: 1.0, 80: 1.0, 90: 0.5, 99: 0.05, 100: 0.0}),
        ("constant", {0: 0.1, 4: 0.5, 9: 1.0, 99: 1.0}),
    ],
)
def test_schedule(name, factors):
    factor = SCHEDULES[name](10, 100)
    assert {step: factor(step) for step in factors} == pytest.approx(factors, abs=1e-12)
    assert all(0 <= factor(step) <= 1 for step in range(110))
    assert SCHEDULES[name](0, 1)(0) > 0, "a run of one step learns"


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "gpt2"])
def test_only_matrices_decay(architecture):
    model = module_of(architecture).model
    decayed, others = parameter_groups(model)
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
    assert sum(map(len, parameter_groups(model))) < len(list(model.parameters()))


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
    batch = {"input_ids": torch.arange(16)[None] + 5}

    def loss() -> float:
        module.on_train_batch_start(batch, 0)
        return module.training_step(batch, 0).item()

    first = loss()
    torch.rand(3)
    assert loss() == first
    module.seed = 4
    assert loss() != first
