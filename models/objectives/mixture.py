"""A weighted mixture of objectives on one network (UL2: Tay et al. 2023, section 3.1): a batch has one of them.

Which one the batch itself tells, by a number a row, so that a batch can be cut into parts like any other. Metrics of
the first objective keep their names; those of each other one, and of validation on other text, have a prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.objectives.base import Batch, Counts, Objective

PART = "objective"


class Mixture:
    """parts: objectives by prefix, in the order of their numbers; the first has the prefix ""."""

    def __init__(self, parts: Mapping[str, Objective]) -> None:
        assert next(iter(parts)) == "", "the first objective has no prefix"
        self.names, self.parts = tuple(parts), tuple(parts.values())

    def collate(self, rows: Any, rng: np.random.Generator) -> Batch:
        """A batch of the first objective; whoever mixes collates with each part and marks its batches."""
        return marked(self.parts[0].collate(rows, rng), 0)

    def counts(self, batch: Batch) -> Counts:
        part, own = _split(batch)
        return self.parts[part].counts(own)

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        part, own = _split(batch)
        return self.parts[part].loss(model, own, counts)

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        part, own = _split(batch)
        scope = f"{self.names[part]}/" if part else ""
        return {f"{scope}{name}": value for name, value in self.parts[part].sums(model, own).items()}

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        """Metrics of the parts whose validation predicted anything: `loss` of the first, `NAME_loss` of another."""
        values: dict[str, float] = {}
        for part, objective in enumerate(self.parts):
            own = {name.rpartition("/")[2]: value for name, value in totals.items() if self._part_of(name) == part}
            if own.get("count"):
                prefix = f"{self.names[part]}_" if part else ""
                values |= {f"{prefix}{name}": value for name, value in objective.metrics(own).items()}
        return values

    def _part_of(self, total: str) -> int:
        return self.names.index(total.rpartition("/")[0])


def marked(batch: Batch, part: int) -> Batch:
    """The batch with the number of its objective, int64 [num_rows]."""
    return batch | {PART: torch.full((len(batch["input_ids"]),), part)}


def _split(batch: Batch) -> tuple[int, Batch]:
    return int(batch[PART][0]), {name: tensor for name, tensor in batch.items() if name != PART}
