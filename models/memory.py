"""What a step keeps in memory: fewer rows at a time, or fewer activations of each.

A batch goes in parts whose losses divide by what the whole batch divides by, so that their sum, and that of their
gradients, is the whole's: a mean of means would weigh the tokens of a part with few of them more.
"""

from __future__ import annotations

from transformers import PreTrainedModel

from models.objectives.base import Batch


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


def recompute_activations(model: PreTrainedModel) -> None:
    """Keep only what enters each layer, and compute the rest again in the backward pass (Chen et al. 2016, section 4).

    Dropout draws the same again. Raises ValueError for a network whose layers cannot do that.
    """
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
