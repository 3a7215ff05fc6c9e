"""A batch of texts without its padding: their tokens stand in one row, and each text sees itself alone.

Matrix products run over real tokens only, all texts at once; attention, a small part of the work, runs over groups of
texts of about one length (unpadding: Portes et al. 2023, MosaicBERT, section 3.1). The batch stays a random draw. The
layers are called one by one, with their own weights: of the last one only the tokens that are read are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn import functional
from transformers import PreTrainedModel

from models.memory import cuts
from models.packing import Batch

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

    def take(self, rows: Tensor, start: int) -> tuple[Tensor, int]:
        """The tokens of this group, which begin at `start`, in their rectangle; and where they end."""
        stop = start + (self.num_texts * self.length if self.real is None else len(self.real))
        return rows[start:stop] if self.taken is None else rows.index_select(0, self.taken), stop


class Unpadded(NamedTuple):
    """Texts from the shortest to the longest in one row. ids, position_ids: `[1, tokens]`.

    firsts: where each text begins, `[n]`. order: where in the row each text of the batch comes, `[n]`.
    """

    ids: Tensor
    position_ids: Tensor
    firsts: Tensor
    order: Tensor
    groups: tuple[Group, ...]


def unpads(model: PreTrainedModel) -> bool:
    """Whether `pooled_logits` can be had of this classifier.

    Layers that compute themselves again in the backward pass cannot, nor those whose compiled code is for one form, nor
    shards, which are whole in a pass through the layer only.
    """
    if model.config.model_type not in _HEADS:
        return False
    # All layers are alike; asking every module takes longer than a small layer does.
    network: Any = model.base_model
    layer = network.encoder.layer[0]
    apart = layer.gradient_checkpointing or isinstance(layer, FullyShardedDataParallel)
    return not apart and layer._compiled_call_impl is None


def pooled_logits(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Logits of a classifier that reads the first token of a text, `[n, num_labels]`."""
    network: Any = model.base_model
    unpadded = unpad(batch)
    hidden = network.embeddings(input_ids=unpadded.ids, position_ids=unpadded.position_ids)
    if hasattr(network, "embeddings_project"):
        hidden = network.embeddings_project(hidden)
    hidden = hidden[0]
    *layers, last = network.encoder.layer
    for layer in layers:
        hidden = _rest(layer, _attended(layer.attention.self, hidden, unpadded.groups), hidden)
    # Of the last layer the first tokens are read; the others give them keys and values.
    firsts = hidden.index_select(0, unpadded.firsts)
    hidden = _rest(last, _attended_by(last.attention.self, firsts, hidden, unpadded.groups), firsts)
    first = hidden.index_select(0, unpadded.order)
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
    return Unpadded(ids, position_ids, starts, torch.argsort(order), groups)


def _group(lengths: Tensor, starts: Tensor) -> Group:
    num_texts, longest = len(lengths), int(lengths[-1])
    if int(lengths[0]) == longest:
        return Group(num_texts, longest)
    places = torch.arange(longest, device=lengths.device)
    real = places < lengths[:, None]
    taken = (starts[:, None] + torch.minimum(places, lengths[:, None] - 1)).flatten()
    seen = torch.zeros(real.shape, device=lengths.device).masked_fill_(~real, torch.finfo(torch.float32).min)
    return Group(num_texts, longest, taken, seen[:, None, None], real.flatten().nonzero().squeeze(1))


def _attended(attention: Any, hidden: Tensor, groups: Sequence[Group]) -> Tensor:
    """Self-attention of each text, `[tokens, size]`."""
    rows = _project((attention.query, attention.key, attention.value), hidden)
    outputs, start = [], 0
    for group in groups:
        taken, start = group.take(rows, start)
        queries, keys, values = _heads(attention, taken, group)
        output = _attend(attention, queries, keys, values, group.seen)
        outputs.append(output if group.real is None else output.index_select(0, group.real))
    return torch.cat(outputs)


def _attended_by(attention: Any, firsts: Tensor, hidden: Tensor, groups: Sequence[Group]) -> Tensor:
    """What one token of each text sees of its text, `[n, size]`; texts as they follow in the row."""
    rows = _project((attention.key, attention.value), hidden)
    queries, outputs, start, text = attention.query(firsts), [], 0, 0
    for group in groups:
        taken, start = group.take(rows, start)
        keys, values = _heads(attention, taken, group)
        asking = queries[text : text + group.num_texts].unflatten(1, (1, *keys.shape[1::2])).transpose(1, 2)
        outputs.append(_attend(attention, asking, keys, values, group.seen))
        text += group.num_texts
    return torch.cat(outputs)


def _project(layers: Sequence[nn.Linear], hidden: Tensor) -> Tensor:
    """What linear layers of one input give, side by side, in one product."""
    weight, bias = torch.cat([one.weight for one in layers]), torch.cat([one.bias for one in layers])
    return functional.linear(hidden, weight, bias)


def _heads(attention: Any, taken: Tensor, group: Group) -> tuple[Tensor, ...]:
    """The parts that lie side by side in a group's rectangle, each `[num_texts, heads, length, head_size]`."""
    shape = (group.num_texts, group.length, -1, attention.num_attention_heads, attention.attention_head_size)
    return taken.view(shape).permute(2, 0, 3, 1, 4).unbind()


def _attend(attention: Any, queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor | None) -> Tensor:
    dropout = attention.dropout.p if attention.training else 0.0
    mask = None if seen is None else seen.to(queries.dtype)
    output = functional.scaled_dot_product_attention(queries, keys, values, mask, dropout, scale=attention.scaling)
    return output.transpose(1, 2).flatten(0, 1).flatten(1)


def _rest(layer: Any, attended: Tensor, hidden: Tensor) -> Tensor:
    """What follows attention in a layer."""
    attended = layer.attention.output(attended, hidden)
    output: Tensor = layer.output(layer.intermediate(attended), attended)
    return output


def _bert(model: Any, first: Tensor) -> Tensor:
    logits: Tensor = model.classifier(model.dropout(model.bert.pooler(first)))
    return logits


def _electra(model: Any, first: Tensor) -> Tensor:
    logits: Tensor = model.classifier(first)
    return logits


_HEADS: dict[str, Callable[[Any, Tensor], Tensor]] = {"bert": _bert, "electra": _electra}
