"""Hidden states where somebody reads them: the last layer computes its output there and nowhere else.

Behind its attention a layer treats every position alone. Where a head reads 15 % of them, or the first of a text, the
others need keys and values only; with four layers that is a sixth of the products of a masked language model's body.
Values and gradients are those of the whole layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from models.packing import Batch, model_inputs

# In their layers the output of attention and the residual stream meet in a module of two arguments.
_MODEL_TYPES = ("bert", "electra")


def hidden_states_at(model: PreTrainedModel, batch: Batch, read: Tensor) -> Tensor:
    """Last hidden states of a batch where `read`, `[n, length]` of bool, is true: `[k, hidden_size]`, row by row."""
    places = read.flatten().nonzero().squeeze(1)
    with _reading(model, places) as alone:
        hidden: Tensor = model.base_model(**model_inputs(model, batch)).last_hidden_state
    return hidden[0] if alone else hidden.flatten(0, 1).index_select(0, places)


def last_layer(model: PreTrainedModel) -> nn.Module | None:
    """The layer whose output can be left out in part; None for a network that computes all of it."""
    network: Any = model.base_model
    layer: nn.Module | None = network.encoder.layer[-1] if model.config.model_type in _MODEL_TYPES else None
    return layer


@contextmanager
def _reading(model: PreTrainedModel, places: Tensor) -> Iterator[bool]:
    """Let the last layer go on with `places` only, as one row; False, and nothing else, where it cannot.

    Layers that compute themselves again in the backward pass would do so without it.
    """
    layer: Any = last_layer(model)
    if layer is None or layer.gradient_checkpointing:
        yield False
        return

    def take(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(one.flatten(0, 1).index_select(0, places)[None] for one in inputs)

    handle = layer.attention.output.register_forward_pre_hook(take)
    try:
        yield True
    finally:
        handle.remove()
