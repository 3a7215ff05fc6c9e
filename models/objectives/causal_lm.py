"""Causal language modelling (Radford et al. 2019): predict each token from those before it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.heads import prediction_head
from models.objectives.base import Batch, Counts, perplexity
from models.objectives.masked_lm import IGNORED
from models.packing import Packed, as_packed, hidden_states, placed


class CausalLM:
    """Rows are token ids `[n, length]`, an array or `Packed`; every token but the first of a piece is predicted."""

    def collate(self, rows: np.ndarray | Packed, rng: np.random.Generator) -> Batch:
        """`labels` are the tokens that follow: those of the last token of a piece and of padding are ignored."""
        ids, segments, _ = as_packed(rows)
        follows = (segments[:, 1:] == segments[:, :-1]) & (segments[:, 1:] > 0)
        labels = np.full(ids.shape, IGNORED)
        labels[:, :-1][follows] = ids[:, 1:][follows]
        return {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels), **placed(rows)}

    def counts(self, batch: Batch) -> Counts:
        return {"tokens": max(1, int((batch["labels"] != IGNORED).sum()))}

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        hidden, targets = self._predicting(model, batch)
        return prediction_head(model).loss(hidden, targets, (counts or self.counts(batch))["tokens"])

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        return prediction_head(model).sums(*self._predicting(model, batch))

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        loss = totals["loss"] / totals["count"]
        return {"loss": loss, "perplexity": perplexity(loss), "accuracy": totals["correct"] / totals["count"]}

    @staticmethod
    def _predicting(model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor]:
        """Hidden states and the tokens that follow them: `[predicted, hidden_size]` and `[predicted]`."""
        predicted = batch["labels"] != IGNORED
        return hidden_states(model, batch, causal=True)[predicted], batch["labels"][predicted]
