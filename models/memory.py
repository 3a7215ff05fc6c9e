"""What a step computes at a time: fewer rows, rows of like length, or fewer activations of each.

A batch goes in parts whose losses divide by what the whole batch divides by, so that their sum, and that of their
gradients, is the whole's: a mean of means would weigh the tokens of a part with few of them more.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import PreTrainedModel

from models.packing import Batch

# What a pass costs beside its tokens, in tokens of a small network on a CPU.
_PASS_TOKENS = 100.0


def split(batch: Batch, size: int) -> list[Batch]:
    """Batches of at most `size` rows, in order; what is not one entry a row goes into each."""
    num_rows = len(batch["input_ids"])
    if num_rows <= size:
        return [batch]
    return [
        {
            name: tensor[start : start + size] if tensor.ndim and len(tensor) == num_rows else tensor
            for name, tensor in batch.items()
        }
        for start in range(0, num_rows, size)
    ]


def split_by_length(batch: Batch, size: int | None = None) -> list[Batch]:
    """Parts of a batch whose rows are about as long, the longest last, each without the padding that it does not need.

    size: rows of a part at most. The batch stays a random draw, which one of texts of like length is not: with those
    alone, a step sees one kind of text.
    """
    lengths = batch["attention_mask"].sum(dim=1)
    order = torch.argsort(lengths, stable=True)
    num_rows, longest = batch["attention_mask"].shape
    parts = []
    for start, stop in cuts(lengths[order].numpy(force=True), _PASS_TOKENS, size):
        rows, length = order[start:stop], int(lengths[order[stop - 1]])
        own = {
            name: tensor[rows] if tensor.ndim and len(tensor) == num_rows else tensor for name, tensor in batch.items()
        }
        parts.append(
            {name: one[:, :length] if one.ndim == 2 and one.shape[1] == longest else one for name, one in own.items()}
        )
    return parts


def cuts(costs: np.ndarray, overhead: float, size: int | None = None) -> list[tuple[int, int]]:
    """Where to cut rows of ascending costs, so that all parts together cost the least: (start, stop) of each, in order.

    Each row of a part costs what its last one does, and each part `overhead` beside. size: rows of a part at most.
    """
    sums, begins = [0.0], [0]
    for stop in range(1, len(costs) + 1):
        starts = np.arange(max(0, stop - (size or stop)), stop)
        each = np.array(sums)[starts] + (stop - starts) * float(costs[stop - 1]) + overhead
        sums.append(float(each.min()))
        begins.append(int(starts[each.argmin()]))
    found, stop = [], len(costs)
    while stop:
        found.append((begins[stop], stop))
        stop = begins[stop]
    return found[::-1]


def recompute_activations(model: PreTrainedModel) -> None:
    """Keep only what enters each layer, and compute the rest again in the backward pass (Chen et al. 2016, section 4).

    Dropout draws the same again. Raises ValueError for a network whose layers cannot do that.
    """
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
