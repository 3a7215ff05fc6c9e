"""A moving average of the weights, which validates and is released in place of the last ones.

Lightning has a callback for this that swaps weights around Lightning's own validation, which this program does not use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from models.lightning_module import LanguageModule


class Averaging(pl.Callback):
    """`average = decay * average + (1 - decay) * weights` after each step.

    The decay of step t is at most (1 + t) / (10 + t), so that the random weights of the start are soon forgotten (as
    `num_updates` does in TensorFlow's ExponentialMovingAverage). The average is in 32 bits: in bfloat16, what a decay
    of 0.999 adds would round to nothing.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.num_updates = 0
        self.average: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average, "num_updates": self.num_updates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.average, self.num_updates = state_dict["average"], state_dict["num_updates"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        weights = _weights(pl_module)
        if not self.average:
            self.average = {name: weight.detach().float().clone() for name, weight in weights.items()}
        self.average = {name: tensor.to(weights[name].device) for name, tensor in self.average.items()}

    @torch.no_grad()
    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: LanguageModule, *_: Any) -> None:
        self.num_updates += 1
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        weights = _weights(pl_module)
        torch._foreach_lerp_(list(self.average.values()), [weights[name].float() for name in self.average], 1 - decay)

    @contextmanager
    def applied(self, module: LanguageModule) -> Iterator[None]:
        """The model has the averaged weights inside of it, and its own again behind."""
        own = {name: weight.detach().clone() for name, weight in _weights(module).items()}
        self.apply(module)
        try:
            yield
        finally:
            _assign(module, own)

    def apply(self, module: LanguageModule) -> None:
        """Give the model the averaged weights for good."""
        _assign(module, self.average)


def _weights(module: LanguageModule) -> dict[str, torch.nn.Parameter]:
    """Trained weights; tied ones come once."""
    return {name: weight for name, weight in module.model.named_parameters() if weight.requires_grad}


@torch.no_grad()
def _assign(module: LanguageModule, values: dict[str, Tensor]) -> None:
    for name, weight in _weights(module).items():
        weight.copy_(values[name])
