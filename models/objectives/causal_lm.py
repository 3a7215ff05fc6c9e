"""Causal language modelling (Radford et al. 2019): predict each token from those before it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.heads import prediction_head
from models.objectives.base import Batch, perplexity


class CausalLM:
    """Rows are token blocks `[n, length]`; every token but the first is predicted."""

    def collate(self, rows: np.ndarray, rng: np.random.Generator) -> Batch:
        return {"input_ids": torch.from_numpy(rows.astype(np.int64))}

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        hidden, targets = self._predicting(model, batch)
        return prediction_head(model).loss(hidden, targets) / max(1, len(targets))

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        return prediction_head(model).sums(*self._predicting(model, batch))

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        loss = totals["loss"] / totals["count"]
        return {"loss": loss, "perplexity": perplexity(loss), "accuracy": totals["correct"] / totals["count"]}

    @staticmethod
    def _predicting(model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor]:
        """Hidden states and the tokens that follow them: `[predicted, hidden_size]` and `[predicted]`."""
        ids = batch["input_ids"]
        hidden = model.base_model(input_ids=ids[:, :-1]).last_hidden_state
        return hidden.flatten(0, 1), ids[:, 1:].flatten()
