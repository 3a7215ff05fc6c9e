"""What an objective is: how rows become a batch, and how a batch becomes a loss and sums for its metrics.

Losses are means in nats; `sums` are totals over a batch so that a validation set of any size adds up exactly.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

Batch = dict[str, Tensor]
Counts = dict[str, int]
# exp(709.8) is the largest float64.
MAX_EXPONENT = 709.0


class Objective(Protocol):
    """One learning problem."""

    def collate(self, rows: Any, rng: np.random.Generator) -> Batch:
        """Tensors of one batch; all randomness comes from `rng`."""
        ...

    def counts(self, batch: Batch) -> Counts:
        """What the means of `loss` divide by, each at least 1; additive over the rows of a batch."""
        ...

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        """Mean loss of a batch in nats, a scalar.

        counts: of the larger batch that this one is a part of; the losses of its parts then add up to its own.
        """
        ...

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        """`loss` and other totals of a batch, and their `count`."""
        ...

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        """Validation metrics from the sums of all batches."""
        ...


def perplexity(loss: float) -> float:
    """exp of a loss in nats; infinite where a float ends, so that a diverged run is reported and not a crash."""
    return math.exp(loss) if loss < MAX_EXPONENT else math.inf
