"""The one LightningModule: any objective on any model, with AdamW and a schedule in steps.

It has no validation_step: Lightning forgets a validation that was due when a run stops between a step and its
validation, so the training program validates as a part of the step. Randomness is a function of (seed, step): dropout
is reseeded before every step, so a resumed run draws what the whole run would have drawn, without any generator state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.objectives.base import Batch, Objective


class LanguageModule(pl.LightningModule):
    """Trains `model` on `objective`."""

    def __init__(
        self,
        model: PreTrainedModel,
        objective: Objective,
        *,
        learning_rate: float,
        warmup_steps: int,
        max_steps: int,
        schedule: str,
        weight_decay: float,
        betas: tuple[float, float],
        seed: int,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.betas = betas
        self.seed = seed
        self.factor = SCHEDULES[schedule](warmup_steps, max_steps)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        torch.manual_seed(int(np.random.SeedSequence([self.seed, self.global_step]).generate_state(1)[0]))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self.objective.loss(self.model, batch)

    def configure_optimizers(self) -> dict[str, Any]:
        decayed, others = parameter_groups(self.model)
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=self.betas, fused=True)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def parameter_groups(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The trainable weights that decay and those that do not.

    Decay pulls matrices only; on gains, biases and embeddings of rare tokens it does harm.
    """
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    decayed = [weight for weight in trained if weight.ndim >= 2 and id(weight) not in embeddings]
    chosen = {id(weight) for weight in decayed}
    return decayed, [weight for weight in trained if id(weight) not in chosen]


def _linear(warmup: int, total: int) -> Callable[[int], float]:
    return lambda step: min(_warm(step, warmup), max(0.0, (total - step) / max(1, total - warmup)))


def _cosine(warmup: int, total: int) -> Callable[[int], float]:
    def factor(step: int) -> float:
        progress = min(1.0, max(0, step - warmup) / max(1, total - warmup))
        return _warm(step, warmup) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor


def _trapezoid(warmup: int, total: int) -> Callable[[int], float]:
    # Hägele et al. 2024 (section 3): constant, then linear to zero over the last fifth.
    cooldown = max(1, total // 5)
    return lambda step: min(_warm(step, warmup), max(0.0, (total - step) / cooldown))


def _constant(warmup: int, total: int) -> Callable[[int], float]:
    return lambda step: _warm(step, warmup)


def _warm(step: int, warmup: int) -> float:
    return min(1.0, (step + 1) / max(1, warmup))


SCHEDULES: dict[str, Callable[[int, int], Callable[[int], float]]] = {
    "linear": _linear,
    "cosine": _cosine,
    "trapezoid": _trapezoid,
    "constant": _constant,
}
