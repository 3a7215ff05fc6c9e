"""Span corruption (T5: Raffel et al. 2020, sections 3.1.4 and 3.3.4): write down the spans that the input lacks.

Each span becomes one sentinel in the input, and the target is the sentinels with what they stand for, one last
sentinel and [SEP]. Sentinels have the ids after the tokenizer's own: the model's vocabulary is larger by them, and the
tokenizer that is saved with it has them as `<extra_id_0>`, ... Borders of documents inside a block are hidden and
predicted like other tokens.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.objectives.base import Batch, perplexity
from models.objectives.encoder_decoder import target_loss, token_losses

# As many as T5 has (section 3.1.4): enough for blocks of 2,000 tokens at its own settings.
MIN_SENTINELS = 100
SENTINEL = "<extra_id_{}>"


class SpanCorruption:
    """Rows are token blocks `[n, length]`; every row loses as many tokens in as many spans, so nothing is padded.

    first_sentinel: id of `<extra_id_0>`; sep: id that ends input and target. Raises ValueError for blocks that need
    more than `num_sentinels`. Validation `loss` is that of the hidden tokens alone, so that it compares with n-gram
    floors; `target_loss` is that of the whole target, sentinels and [SEP] included, which training minimises.
    """

    def __init__(
        self,
        *,
        sep: int,
        first_sentinel: int,
        num_sentinels: int = MIN_SENTINELS,
        mask_share: float = 0.15,
        mean_span_length: float = 3.0,
    ) -> None:
        self.sep, self.first_sentinel, self.num_sentinels = sep, first_sentinel, num_sentinels
        self.mask_share, self.mean_span_length = mask_share, mean_span_length

    def collate(self, rows: np.ndarray, rng: np.random.Generator) -> Batch:
        ids = rows.astype(np.int64)
        hidden, num_spans = self._spans(len(ids), ids.shape[1], rng)
        if num_spans + 1 > self.num_sentinels:
            wanted = f"blocks of {ids.shape[1]} tokens need {num_spans + 1} sentinels"
            raise ValueError(f"{wanted}, but there are {self.num_sentinels}")
        shown = self._replaced(ids, hidden)
        last = np.full((len(ids), 1), self.first_sentinel + num_spans)
        targets = np.hstack([self._replaced(ids, ~hidden), last])
        end = np.full((len(ids), 1), self.sep)
        return {
            "input_ids": torch.from_numpy(np.hstack([shown, end])),
            "attention_mask": torch.ones(len(ids), shown.shape[1] + 1, dtype=torch.int64),
            "labels": torch.from_numpy(np.hstack([targets, end])),
        }

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return target_loss(model, batch)

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        losses, right = token_losses(model, batch)
        text = batch["labels"] < self.first_sentinel
        text[:, -1] = False  # the [SEP] that ends the target
        return {
            "loss": losses[text].sum().item(),
            "correct": right[text].sum().item(),
            "count": float(text.sum()),
            "target_loss": losses.sum().item(),
            "target_count": float(losses.numel()),
        }

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        loss = totals["loss"] / totals["count"]
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "accuracy": totals["correct"] / totals["count"],
            "target_loss": totals["target_loss"] / totals["target_count"],
        }

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
        sentinels = self.first_sentinel + first.cumsum(1) - 1
        kept: np.ndarray = np.where(first, sentinels, ids)[first | ~spans]
        return kept.reshape(len(ids), -1)


def span_counts(length: int, mask_share: float, mean_span_length: float) -> tuple[int, int]:
    """Hidden tokens and spans of a block: at least one of each, and a token shown before every span."""
    num_hidden = min(max(round(length * mask_share), 1), length - 1)
    num_spans = max(round(num_hidden / mean_span_length), 1)
    return num_hidden, min(num_spans, num_hidden, length - num_hidden)


def _parts(num_rows: int, total: int, num_parts: int, rng: np.random.Generator) -> np.ndarray:
    """Random sizes of `num_parts` parts of at least one that add up to `total`: `[num_rows, num_parts]`."""
    cuts = rng.random((num_rows, total - 1)).argsort(1)[:, : num_parts - 1] + 1
    whole = np.hstack([np.zeros((num_rows, 1)), np.sort(cuts, 1), np.full((num_rows, 1), total)])
    return np.diff(whole, axis=1).astype(np.int64)
