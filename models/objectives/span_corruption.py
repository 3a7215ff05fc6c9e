"""Span corruption (T5: Raffel et al. 2020, sections 3.1.4 and 3.3.4): write down the spans that the input lacks.

Each span becomes one sentinel in the input, and the target is the sentinels with what they stand for, one last
sentinel and [SEP]. A tokenizer without sentinels gets them behind its own tokens: the model's vocabulary is larger by
them, and the tokenizer that is saved with it has them as `<extra_id_0>`, ...
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.objectives.base import Batch, Counts, perplexity
from models.objectives.encoder_decoder import target_counts, target_loss, token_losses
from models.objectives.masked_lm import IGNORED
from models.packing import Packed, as_packed

# As many as T5 has (section 3.1.4): enough for blocks of 2,000 tokens at its own settings.
MIN_SENTINELS = 100
SENTINEL = "<extra_id_{}>"


class SpanCorruption:
    """Rows are token ids `[n, length]`, an array or `Packed` with one piece a row.

    Rows of one length lose as many tokens in as many spans; a batch is padded to its longest input and target.
    sentinels: int64 ids of `<extra_id_0>` and so on, in that order; sep: id that ends input and target, whether the row
    ends with it or not.
    Raises ValueError for rows that need more of them. Validation `loss` is that of the hidden tokens
    alone, so that it compares with n-gram floors; `target_loss` is that of the whole target, sentinels and [SEP]
    included, which training minimises.
    """

    def __init__(
        self,
        *,
        sep: int,
        sentinels: np.ndarray,
        mask_share: float = 0.15,
        mean_span_length: float = 3.0,
        pad: int = 0,
    ) -> None:
        self.sep, self.sentinels, self.pad = sep, sentinels, pad
        self.mask_share, self.mean_span_length = mask_share, mean_span_length

    def collate(self, rows: np.ndarray | Packed, rng: np.random.Generator) -> Batch:
        ids, segments, _ = as_packed(rows)
        assert segments.max() == 1, "more than one piece in a row"
        lengths = segments.sum(1)
        # A whole document has the [SEP] already that ends its row.
        lengths -= ids[np.arange(len(ids)), lengths - 1] == self.sep
        inputs: list[np.ndarray] = [ids[0]] * len(ids)
        targets = list(inputs)
        for length in np.unique(lengths).tolist():
            alike = np.flatnonzero(lengths == length)
            for row, shown, target in zip(alike, *self._corrupted(ids[alike, :length], rng), strict=True):
                inputs[row], targets[row] = shown, target
        return {
            "input_ids": torch.from_numpy(_stacked(inputs, self.pad)),
            "attention_mask": torch.from_numpy((_stacked(inputs, -1) >= 0).astype(np.int64)),
            "labels": torch.from_numpy(_stacked(targets, IGNORED)),
        }

    def counts(self, batch: Batch) -> Counts:
        return target_counts(batch)

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        return target_loss(model, batch, counts)

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        losses, right = token_losses(model, batch)
        labels = batch["labels"]
        text = (labels != IGNORED) & ~torch.isin(labels, torch.from_numpy(self.sentinels).to(labels.device))
        ends = (labels != IGNORED).sum(1, keepdim=True) - 1
        text.scatter_(1, ends, False)  # the [SEP] that ends the target
        return {
            "loss": losses[text].sum().item(),
            "correct": right[text].sum().item(),
            "count": float(text.sum()),
            "target_loss": losses.sum().item(),
            "target_count": float((labels != IGNORED).sum()),
        }

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        loss = totals["loss"] / totals["count"]
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "accuracy": totals["correct"] / totals["count"],
            "target_loss": totals["target_loss"] / totals["target_count"],
        }

    def _corrupted(self, ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets of rows of one length, each with [SEP] at its end."""
        hidden, num_spans = self._spans(len(ids), ids.shape[1], rng)
        if num_spans + 1 > len(self.sentinels):
            wanted = f"rows of {ids.shape[1]} tokens need {num_spans + 1} sentinels"
            raise ValueError(f"{wanted}, but there are {len(self.sentinels)}")
        last = np.full((len(ids), 1), self.sentinels[num_spans])
        end = np.full((len(ids), 1), self.sep)
        shown, target = self._replaced(ids, hidden), self._replaced(ids, ~hidden)
        return np.hstack([shown, end]), np.hstack([target, last, end])

    def _spans(self, num_rows: int, length: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Which tokens are hidden, `[num_rows, length]` of bool, in how many spans; a row begins with a shown token."""
        num_hidden, num_spans = span_counts(length, self.mask_share, self.mean_span_length)
        shown = _parts(num_rows, length - num_hidden, num_spans, rng)
        hidden = _parts(num_rows, num_hidden, num_spans, rng)
        ends = np.stack([shown, hidden], axis=2).reshape(num_rows, -1).cumsum(1)  # [num_rows, 2 num_spans]
        borders = np.zeros((num_rows, length + 1), dtype=np.int64)
        np.put_along_axis(borders, ends, 1, axis=1)
        return borders[:, :length].cumsum(1) % 2 == 1, num_spans

    def _replaced(self, ids: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """Rows with a sentinel in place of each span. All rows must have as many tokens and spans."""
        first = spans.copy()
        first[:, 1:] &= ~spans[:, :-1]
        # Before the first span there is none to number, and none is taken.
        sentinels = self.sentinels[np.maximum(first.cumsum(1) - 1, 0)]
        kept: np.ndarray = np.where(first, sentinels, ids)[first | ~spans]
        return kept.reshape(len(ids), -1)


def span_counts(length: int, mask_share: float, mean_span_length: float) -> tuple[int, int]:
    """Hidden tokens and spans of a block: at least one of each, and a token shown before every span."""
    num_hidden = min(max(round(length * mask_share), 1), length - 1)
    num_spans = max(round(num_hidden / mean_span_length), 1)
    return num_hidden, min(num_spans, num_hidden, length - num_hidden)


def _stacked(rows: list[np.ndarray], fill: int) -> np.ndarray:
    """Rows under one another, filled up to the longest, `[n, longest]`."""
    stacked = np.full((len(rows), max(map(len, rows))), fill, dtype=np.int64)
    for index, row in enumerate(rows):
        stacked[index, : len(row)] = row
    return stacked


def _parts(num_rows: int, total: int, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    """Random sizes of `num_parts` parts of at least one that add up to `total`: `[num_rows, num_parts]`."""
    cuts = rng.random((num_rows, total - 1)).argsort(1)[:, : num_parts - 1] + 1
    whole = np.hstack([np.zeros((num_rows, 1)), np.sort(cuts, 1), np.full((num_rows, 1), total)])
    return np.diff(whole, axis=1).astype(np.int64)
