"""Causal language modelling (Radford et al. 2019): predict each token from those before it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from models.architectures import prediction_head
from models.objectives.base import Batch, perplexity


class CausalLM:
    """Rows are token blocks `[n, length]`; every token but the first is predicted."""

    def collate(self, rows: np.ndarray, rng: np.random.Generator) -> Batch:
        return {"input_ids": torch.from_numpy(rows.astype(np.int64))}

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        return self._losses(model, batch).mean()

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        losses = self._losses(model, batch)
        return {"loss": losses.sum().item(), "count": float(len(losses))}

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        loss = totals["loss"] / totals["count"]
        return {"loss": loss, "perplexity": perplexity(loss)}

    @staticmethod
    def _losses(model: PreTrainedModel, batch: Batch) -> Tensor:
        ids = batch["input_ids"]
        hidden = model.base_model(input_ids=ids[:, :-1]).last_hidden_state
        logits = prediction_head(model)(hidden.reshape(-1, hidden.shape[-1]))  # [n * (length - 1), vocab_size]
        return functional.cross_entropy(logits, ids[:, 1:].reshape(-1), reduction="none")
