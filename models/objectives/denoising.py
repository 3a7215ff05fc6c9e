"""Denoising (BART: Lewis et al. 2020, section 2.2): restore a text whose tokens and sentences were spoilt.

Sentences of a document change places, spans shrink to one [MASK] each (lengths from a Poisson distribution; one of
length 0 inserts a [MASK]), tokens become [MASK] or vanish. The target is the text as it was, all of it, so most of its
tokens are copied: the loss does not compare with that of objectives that predict hidden tokens only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.configurations import Special
from models.objectives.base import Batch, Counts, perplexity
from models.objectives.encoder_decoder import target_counts, target_loss, token_losses
from models.objectives.masked_lm import IGNORED
from models.packing import Packed, as_packed


class Noise(NamedTuple):
    """Shares of tokens that are masked, deleted and covered by spans, and of rows whose sentences change places.

    Defaults are those of BART's own pre-training (section 5): spans over 30 % of the tokens, all sentences permuted.
    """

    mask_share: float = 0.0
    deletion_share: float = 0.0
    infilling_share: float = 0.3
    mean_span_length: float = 3.0
    permutation_share: float = 1.0


class Denoising:
    """Rows are token ids `[n, length]`, an array or `Packed` with one piece a row.

    [CLS] and [SEP] of documents stay, and sentences stay in their document. sentence_ends: ids of the tokens that end a
    sentence. An input is never longer than its row.
    """

    def __init__(self, special: Special, *, ordinary: np.ndarray, sentence_ends: np.ndarray, noise: Noise) -> None:
        self.special, self.ordinary = special, ordinary
        self.sentence_ends, self.noise = sentence_ends, noise

    def collate(self, rows: np.ndarray | Packed, rng: np.random.Generator) -> Batch:
        text, segments, _ = as_packed(rows)
        assert segments.max() == 1, "more than one piece in a row"
        real = segments > 0
        ids = self._permuted(text, real, rng)
        ordinary = self.ordinary[ids]
        draw = rng.random(ids.shape)
        masked = ordinary & (draw < self.noise.mask_share)
        deleted = ordinary & (draw >= self.noise.mask_share)
        deleted &= draw < self.noise.mask_share + self.noise.deletion_share
        begins, covered = self._spans(len(ids), ids.shape[1], rng)
        # Before every token is a place for the [MASK] of a span that begins there: [n, length, 2].
        tokens = np.stack([np.full_like(ids, self.special.mask), np.where(masked, self.special.mask, ids)], axis=2)
        kept = np.stack([begins, ~(deleted | (covered & ordinary))], axis=2) & real[:, :, None]
        kept[~kept.any((1, 2)), 0, 0] = True  # an input of nothing has no attention
        shown, mask = self._packed(tokens.reshape(len(ids), -1), kept.reshape(len(ids), -1), ids.shape[1])
        return {
            "input_ids": torch.from_numpy(shown),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
            "labels": torch.from_numpy(np.where(real, text, IGNORED)),
        }

    def counts(self, batch: Batch) -> Counts:
        return target_counts(batch)

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        return target_loss(model, batch, counts)

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        losses, right = token_losses(model, batch)
        return {
            "loss": losses.sum().item(),
            "correct": right.sum().item(),
            "count": float((batch["labels"] != IGNORED).sum()),
        }

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        loss = totals["loss"] / totals["count"]
        return {"loss": loss, "perplexity": perplexity(loss), "accuracy": totals["correct"] / totals["count"]}

    def _permuted(self, ids: np.ndarray, real: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Sentences in another order inside their document, in a share of the rows."""
        opening, closing = ids == self.special.cls, ids == self.special.sep
        after = np.zeros(ids.shape, dtype=bool)
        after[:, 1:] = (np.isin(ids, self.sentence_ends) | opening)[:, :-1]
        place = np.maximum.accumulate(np.where(after, np.arange(ids.shape[1]), 0), axis=1)  # where a sentence begins
        chosen = rng.random((len(ids), 1)) < self.noise.permutation_share
        keys = np.take_along_axis(rng.random(ids.shape), place, axis=1) * chosen
        keys[opening], keys[closing], keys[~real] = 0, 1, 1  # padding stays behind all
        # Stable, so that the tokens of a sentence, which share a key, stay in order; [SEP] stays before the next [CLS].
        order = np.argsort(opening.cumsum(1) + keys, axis=1, kind="stable")
        return np.take_along_axis(ids, order, axis=1)

    def _spans(self, num_rows: int, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Where spans begin and what they cover, both `[num_rows, length]` of bool; spans do not overlap."""
        num_spans = round(length * self.noise.infilling_share / self.noise.mean_span_length)
        begins, change = np.zeros((num_rows, length), dtype=bool), np.zeros((num_rows, length + 1), dtype=np.int64)
        if num_spans == 0:
            return begins, begins
        sizes = rng.poisson(self.noise.mean_span_length, (num_rows, num_spans))
        ends = np.minimum(sizes.cumsum(1), length - 1)  # in a row of spans alone
        free = length - ends[:, -1:]
        before = np.sort((rng.random((num_rows, num_spans)) * free).astype(np.int64), axis=1)
        starts = before + np.hstack([np.zeros((num_rows, 1), dtype=np.int64), ends[:, :-1]])
        np.put_along_axis(begins, starts, True, axis=1)
        row = np.arange(num_rows)[:, None]
        np.add.at(change, (row, starts), 1)
        np.add.at(change, (row, before + ends), -1)
        return begins, change.cumsum(1)[:, :length] > 0

    def _packed(self, tokens: np.ndarray, kept: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
        """The kept tokens of each row from the left, padded to the longest row, and where they are."""
        lengths = np.minimum(kept.sum(1), longest)
        place = kept.cumsum(1) - 1
        kept = kept & (place < longest)
        mask = np.arange(lengths.max()) < lengths[:, None]
        packed = np.full(mask.shape, self.special.pad, dtype=np.int64)
        packed[mask] = tokens[kept]
        return packed, mask
