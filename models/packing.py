"""Rows that several pieces of text share, and how a model reads each piece as if it stood alone.

A token sees only tokens of its own piece and counts its position from the piece's beginning (Krell et al. 2021,
Efficient sequence packing without cross-contamination). Padding sees padding, so that no token's attention
is empty; nobody reads what comes out there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

Batch = dict[str, Tensor]


class Packed(NamedTuple):
    """Rows of pieces, each array `[n, length]`.

    ids: int64. segments: which piece of its row a token belongs to, from 1 on; 0 is padding. position_ids: places in
    the piece, from 0 on; 0 in padding.
    """

    ids: np.ndarray
    segments: np.ndarray
    position_ids: np.ndarray


def as_packed(rows: np.ndarray | Packed) -> Packed:
    """Rows as they are, or, of an array `[n, length]`, each row as one piece."""
    if isinstance(rows, Packed):
        return rows
    places = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
    return Packed(rows.astype(np.int64), np.ones(rows.shape, dtype=np.int64), places)


def placed(rows: np.ndarray | Packed) -> Batch:
    """What a batch says of the pieces of its rows: nothing for an array, whose rows are one piece each.

    `attention_mask` is 1 at tokens and 0 in padding, as in every batch that has padding.
    """
    if not isinstance(rows, Packed):
        return {}
    named = {"attention_mask": rows.segments > 0, "segments": rows.segments, "position_ids": rows.position_ids}
    return {name: torch.from_numpy(values.astype(np.int64)) for name, values in named.items()}


def model_inputs(model: PreTrainedModel, batch: Batch, *, causal: bool = False) -> dict[str, Any]:
    """Keyword arguments of a network's `forward` for a batch of `input_ids` and, as far as it has them, its pieces.

    causal: the network sees no later token. Without `segments` a row is one piece and its `attention_mask`, if there is
    one, marks padding. transformers passes a mask of four dimensions on as it is (masking_utils.py).
    """
    names = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
    inputs: dict[str, Any] = {name: batch[name] for name in names if name in batch}
    if causal:
        inputs["use_cache"] = False
    if "segments" in batch:
        inputs["attention_mask"] = _masks(model, batch["segments"], causal)
    return inputs


def hidden_states(model: PreTrainedModel, batch: Batch, *, causal: bool = False) -> Tensor:
    """Last hidden states of a batch, `[n, length, hidden_size]`; those of a piece depend on that piece alone."""
    output: Tensor = model.base_model(**model_inputs(model, batch, causal=causal)).last_hidden_state
    return output


def visible(segments: Tensor, *, causal: bool = False, window: int | None = None) -> Tensor:
    """Which token (last dimension) each token sees, `[n, 1, length, length]` of bool.

    window: how far a token sees in either direction, None for its whole piece.
    """
    seen = segments[:, None, :, None] == segments[:, None, None, :]
    place = torch.arange(segments.shape[1], device=segments.device)
    ahead = place[None, :] - place[:, None]
    if causal:
        seen = seen & (ahead <= 0)
    return seen if window is None else seen & (ahead.abs() <= window)


def _masks(model: PreTrainedModel, segments: Tensor, causal: bool) -> Tensor | dict[str, Tensor]:
    """What is added to attention scores: 0 where a token is seen, else the lowest number.

    Numbers and not booleans, because that suits every implementation of attention and is made once for all layers.
    """
    config: Any = model.config
    full = _additive(visible(segments, causal=causal), model.dtype)
    if "sliding_attention" not in (getattr(config, "layer_types", None) or ()):
        return full
    near = _additive(visible(segments, causal=causal, window=config.sliding_window), model.dtype)
    return {"full_attention": full, "sliding_attention": near}


def _additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)
