"""Each process's share of the work: of the rows of a training batch, and of the batches of a validation.

Every process makes the whole global batch, masks included, and computes on its own rows of it; each loss divides by the
counts of the whole batch, so that what they add up to is the loss that one process would have: a mean of means would
weigh the tokens of a process with few of them more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch import Tensor
from transformers import PreTrainedModel

from lmforge.training.processes import AgreedStop, Processes
from models.lightning_module import LanguageModule
from models.objectives import Batch, Objective


class SharedObjective:
    """An objective whose loss is computed on this process's rows of a batch; all else is that of the whole batch.

    The mean of the losses over the processes, which is what DDP makes of their gradients, is the loss of the batch.
    """

    def __init__(self, objective: Objective, processes: Processes) -> None:
        self.objective, self.processes = objective, processes

    def collate(self, rows: Any, rng: np.random.Generator) -> Batch:
        return self.objective.collate(rows, rng)

    def counts(self, batch: Batch) -> dict[str, int]:
        return self.objective.counts(batch)

    def loss(self, model: PreTrainedModel, batch: Batch, counts: dict[str, int] | None = None) -> Tensor:
        part, weight = own_rows(batch, self.processes)
        return self.objective.loss(model, part, counts or self.counts(batch)) * weight

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        return self.objective.sums(model, batch)

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        return self.objective.metrics(totals)


class SharedValidation:
    """The batches of a validation that are this process's; `total` adds up what the processes found.

    whole: every process takes all batches, where each needs the others for its forward pass.
    """

    def __init__(
        self, batches: Iterable[Batch], processes: Processes, stop: AgreedStop, *, whole: bool = False
    ) -> None:
        self.batches, self.processes, self.stop = batches, processes, stop
        self.whole = whole or processes.size == 1

    def __iter__(self) -> Iterator[Batch]:
        for number, batch in enumerate(self.batches):
            rank = number % self.processes.size
            # Before each turn, so that a long validation is left in time, and after the same turn by all.
            if rank == 0:
                self.stop.agree()
            if self.whole or rank == self.processes.rank:
                yield batch

    def total(self, sums: dict[str, float]) -> dict[str, float]:
        """The sums over all batches, from those over this process's own."""
        return sums if self.whole else self.processes.summed(sums)


class Agreement(pl.Callback):
    """Asks all processes after each step whether to stop; the first of the callbacks, which act on the answer."""

    def __init__(self, stop: AgreedStop) -> None:
        self.stop = stop

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stop.agree()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.stop.agree()


def share(module: LanguageModule, processes: Processes) -> None:
    """Have the module learn from its process's rows only, `micro_batch_size` of them at a time."""
    if processes.size == 1:
        return
    module.objective = SharedObjective(module.objective, processes)
    if module.micro_batch_size:
        # The module cuts the whole batch; each process takes its share of every part.
        module.micro_batch_size *= processes.size


def own_rows(batch: Batch, processes: Processes) -> tuple[Batch, int]:
    """This process's rows of a batch, and the factor of their loss; what is not one entry a row stays whole.

    A batch with fewer rows than there are processes leaves some of them one row and the factor 0: all must take part.
    """
    num_rows = len(batch["input_ids"])
    start, stop = (num_rows * number // processes.size for number in (processes.rank, processes.rank + 1))
    rows, weight = (slice(start, stop), processes.size) if stop > start else (slice(0, 1), 0)
    own = {name: tensor[rows] if tensor.ndim and len(tensor) == num_rows else tensor for name, tensor in batch.items()}
    return own, weight
