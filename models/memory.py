"""What a step computes at a time: fewer rows, rows of like length, or fewer activations of each.

A batch goes in parts whose losses divide by what the whole batch divides by, so that their sum, and that of their
gradients, is the whole's: a mean of means would weigh the tokens of a part with few of them more.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import PreTrainedModel

from models.objectives.base import Batch

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
    for start, stop in _cuts(lengths[order].numpy(force=True), size or num_rows):
        rows, length = order[start:stop], int(lengths[order[stop - 1]])
        own = {
            name: tensor[rows] if tensor.ndim and len(tensor) == num_rows else tensor for name, tensor in batch.items()
        }
        parts.append(
            {name: one[:, :length] if one.ndim == 2 and one.shape[1] == longest else one for name, one in own.items()}
        )
    return parts


def _cuts(lengths: np.ndarray, size: int) -> list[tuple[int, int]]:
    """Where to cut rows of ascending length so that passes and tokens, padding included, cost the least together."""
    costs, begins = [0.0], [0]
    for stop in range(1, len(lengths) + 1):
        starts = np.arange(max(0, stop - size), stop)
        each = np.array(costs)[starts] + (stop - starts) * float(lengths[stop - 1]) + _PASS_TOKENS
        costs.append(float(each.min()))
        begins.append(int(starts[each.argmin()]))
    cuts, stop = [], len(lengths)
    while stop:
        cuts.append((begins[stop], stop))
        stop = begins[stop]
    return cuts[::-1]


def recompute_activations(model: PreTrainedModel) -> None:
    """Keep only what enters each layer, and compute the rest again in the backward pass (Chen et al. 2016, section 4).

    Dropout draws the same again. Raises ValueError for a network whose layers cannot do that.
    """
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
