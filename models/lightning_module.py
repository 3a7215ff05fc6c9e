"""The one LightningModule: any objective on any model, with AdamW and a schedule in steps.

It has no validation_step: Lightning forgets a validation that was due when a run stops between a step and its
validation, so the training program validates as a part of the step. Randomness is a function of (seed, step): dropout
is reseeded before every step, so a resumed run draws what the whole run would have drawn, without any generator state.
One batch is one step, also where its rows go through the network in parts: Lightning's own accumulation counts parts
as batches, and a checkpoint could fall between two of them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from transformers import PreTrainedModel

from models.memory import split, split_by_length
from models.objectives.base import Batch, Objective
from models.schedules import SCHEDULES
from models.unpadding import unpads

__all__ = ["SCHEDULES", "LanguageModule", "clip", "decayed_names", "parameter_groups", "sharded_root"]


class LanguageModule(pl.LightningModule):
    """Trains `model` on `objective`.

    micro_batch_size: rows of a batch that go through the network at a time; None for all. by_length: whether only rows
    of like length go at a time, see `models/memory.py`.
    position: how far along the schedule the run is, in steps, where another end than max_steps is nearer.
    gradient_norm: of the last step, before clipping; None when its loss or gradient was not finite, and then the
    optimizer saw no gradient and left weights and moments as they were. `step_loss` is the loss of that step.
    """

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
        micro_batch_size: int | None = None,
        by_length: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.decayed = decayed_names(model)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.betas = betas
        self.seed = seed
        self.micro_batch_size = micro_batch_size
        self.by_length = by_length
        self.factor = SCHEDULES[schedule](warmup_steps, max_steps)
        self.position = 0.0
        self.step_loss = 0.0
        self.gradient_norm: float | None = 0.0

    def forward(self, batch: Batch) -> dict[str, float]:
        """What a validation adds up of a batch."""
        return self.objective.sums(self.model, batch)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        self.zero_grad()
        seed = int(np.random.SeedSequence([self.seed, self.global_step, self.global_rank]).generate_state(1)[0])
        if self.device.type == "cpu":
            # torch.manual_seed prepares devices that are not there, a millisecond a step.
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The mean loss of the batch; its graph is that of the last part, the others' gradients are already there."""
        *parts, last = self.parts(batch)
        if not parts:
            return self._noted(self.objective.loss(self.model, last))
        counts = self.objective.counts(batch)
        done = 0.0
        for part in parts:
            loss = self.objective.loss(self.model, part, counts)
            done += float(loss.detach())
            self.trainer.strategy.backward(loss, None)
        return self._noted(self.objective.loss(self.model, last, counts) + done)

    def parts(self, batch: Batch) -> list[Batch]:
        """What of a batch goes through the network at a time; one that goes unpadded has nothing to gain by length."""
        if self.by_length and not unpads(self.model):
            return split_by_length(batch, self.micro_batch_size)
        return split(batch, self.micro_batch_size or len(batch["input_ids"]))

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Nothing: Lightning calls it after training_step, which has made gradients when the batch goes in parts."""

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        max_norm = gradient_clip_val or float("inf")
        root = sharded_root(self)
        norm = clip(optimizer, max_norm) if root is None else float(root.clip_grad_norm_(max_norm))
        if np.isfinite(norm) and np.isfinite(self.step_loss):
            self.gradient_norm = norm
            return
        self.gradient_norm = None
        # AdamW passes over weights without a gradient, decay included; Lightning still counts the step.
        self.zero_grad()

    def configure_optimizers(self) -> dict[str, Any]:
        decayed, others = parameter_groups(self.model, self.decayed)
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.learning_rate, betas=self.betas, fused=True)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.factor(max(step, self.position)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _noted(self, loss: Tensor) -> Tensor:
        # Of all processes, each of which has the loss of its rows; all must judge alike whether it is finite.
        alone = self._trainer is None or self.trainer.world_size == 1
        whole = loss.detach() if alone else self.trainer.strategy.reduce(loss.detach(), reduce_op="mean")
        self.step_loss = float(whole)
        return loss


def sharded_root(module: pl.LightningModule) -> FullyShardedDataParallel | None:
    """What a sharded module is wrapped in: weights are whole only in a pass through it, gradients and norms never."""
    root = None if module._trainer is None else module.trainer.strategy.model
    return root if isinstance(root, FullyShardedDataParallel) else None


def clip(optimizer: torch.optim.Optimizer, max_norm: float) -> float:
    """Scale the gradients down to `max_norm` and return the norm that they had; not finite, they stay what they are."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    total = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    norm = float(total)
    if max_norm < norm < float("inf"):
        nn.utils.clip_grads_with_norm_(weights, max_norm, total)
    return norm


def decayed_names(model: nn.Module) -> frozenset[str]:
    """The weights that decay: matrices only; on gains, biases and embeddings of rare tokens decay does harm."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    return frozenset(name for name, one in model.named_parameters() if one.ndim >= 2 and id(one) not in embeddings)


def parameter_groups(model: nn.Module, decayed: Collection[str]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The trainable weights that decay and those that do not.

    By name, because a shard of a matrix is flat, in a module whose name has got a part more.
    """
    trained = [(name.replace("_fsdp_wrapped_module.", ""), one) for name, one in model.named_parameters()]
    trained = [(name, one) for name, one in trained if one.requires_grad]
    return [one for name, one in trained if name in decayed], [one for name, one in trained if name not in decayed]
