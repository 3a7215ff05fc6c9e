"""A batch of texts without its padding: their tokens stand in one row, and each text sees itself alone.

Matrix products run over real tokens only, all texts at once; attention, a small part of the work, runs over groups of
texts of about one length (unpadding: Portes et al. 2023, MosaicBERT, section 3.1). The batch stays a random draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, PreTrainedModel

from models.memory import cuts
from models.packing import Batch
from models.reading import read_of

_ATTENTION = "lmforge_unpadded"
# What attention of one more group costs beside its scores, in pairs of tokens; flat from 3,000 to 30,000 on a CPU.
_GROUP_PAIRS = 10_000.0


class Group(NamedTuple):
    """Texts of about one length, `num_texts` of at most `length` tokens; they follow one another in the row.

    For texts of different lengths: `taken` `[num_texts * length]`, tokens of the row in a rectangle, in which a text's
    last token stands for its padding; `seen`, what is added to scores, `[num_texts, 1, 1, length]`; and `real`, the
    places of tokens in the rectangle.
    """

    num_texts: int
    length: int
    taken: Tensor | None = None
    seen: Tensor | None = None
    real: Tensor | None = None


class Unpadded(NamedTuple):
    """Texts from the shortest to the longest in one row. ids, position_ids: `[1, tokens]`.

    firsts: where each text of the batch begins, `[n]`, in the batch's order.
    """

    ids: Tensor
    position_ids: Tensor
    firsts: Tensor
    groups: tuple[Group, ...]


def unpads(model: PreTrainedModel) -> bool:
    """Whether `pooled_logits` can be had of this classifier.

    Layers that compute themselves again in the backward pass cannot, nor those whose compiled code is for one form.
    """
    if model.config.model_type not in _HEADS:
        return False
    # All layers are alike; asking every module takes longer than a small layer does.
    network: Any = model.base_model
    layer = network.encoder.layer[0]
    return not layer.gradient_checkpointing and layer._compiled_call_impl is None


def pooled_logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Logits of a classifier that reads the first token of a text, `[n, num_labels]`."""
    unpadded = unpad(batch)
    config: Any = model.config
    usual, config._attn_implementation = config._attn_implementation, _ATTENTION
    try:
        inputs = {"input_ids": unpadded.ids, "position_ids": unpadded.position_ids, "groups": unpadded.groups}
        first = read_of(model, unpadded.firsts, **inputs)
    finally:
        config._attn_implementation = usual
    return _HEADS[model.config.model_type](model, first[:, None])


def unpad(batch: Batch) -> Unpadded:
    """The tokens of a batch whose `attention_mask` ends each row with padding."""
    mask = batch["attention_mask"]
    order = torch.argsort(mask.sum(dim=1), stable=True)
    lengths, real = mask.sum(dim=1)[order], mask[order] > 0
    starts = lengths.cumsum(0) - lengths
    places = torch.arange(mask.shape[1], device=mask.device).expand_as(real)
    ids, position_ids = batch["input_ids"][order][real][None], places[real][None]
    counted = lengths.numpy(force=True)
    groups = tuple(_group(lengths[a:b], starts[a:b]) for a, b in cuts(counted.astype(float) ** 2, _GROUP_PAIRS))
    return Unpadded(ids, position_ids, torch.empty_like(starts).index_copy_(0, order, starts), groups)


def _group(lengths: Tensor, starts: Tensor) -> Group:
    num_texts, longest = len(lengths), int(lengths[-1])
    if int(lengths[0]) == longest:
        return Group(num_texts, longest)
    places = torch.arange(longest, device=lengths.device)
    real = places < lengths[:, None]
    taken = (starts[:, None] + torch.minimum(places, lengths[:, None] - 1)).flatten()
    seen = torch.zeros(real.shape, device=lengths.device).masked_fill_(~real, torch.finfo(torch.float32).min)
    return Group(num_texts, longest, taken, seen[:, None, None], real.flatten().nonzero().squeeze(1))


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    groups: Sequence[Group],
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """A function of transformers' AttentionInterface: from `[1, heads, tokens, size]` to `[1, tokens, heads, size]`."""
    tokens, start, outputs = [one[0].transpose(0, 1) for one in (query, key, value)], 0, []
    for group in groups:
        stop = start + (group.num_texts * group.length if group.real is None else len(group.real))
        rows = [one[start:stop] if group.taken is None else one.index_select(0, group.taken) for one in tokens]
        shape = (group.num_texts, group.length, *tokens[0].shape[1:])
        queries, keys, values = (one.reshape(shape).transpose(1, 2) for one in rows)
        seen = None if group.seen is None else group.seen.to(query.dtype)
        output = functional.scaled_dot_product_attention(queries, keys, values, seen, dropout, scale=scaling)
        flat = output.transpose(1, 2).flatten(0, 1)
        outputs.append(flat if group.real is None else flat.index_select(0, group.real))
        start = stop
    return torch.cat(outputs)[None], None


def _bert(model: Any, first: Tensor) -> Tensor:
    logits: Tensor = model.classifier(model.dropout(model.bert.pooler(first)))
    return logits


def _electra(model: Any, first: Tensor) -> Tensor:
    logits: Tensor = model.classifier(first)
    return logits


_HEADS: dict[str, Callable[[Any, Tensor], Tensor]] = {"bert": _bert, "electra": _electra}
AttentionInterface.register(_ATTENTION, _attend)
