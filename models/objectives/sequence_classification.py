"""Sequence classification: one label a text (Devlin et al. 2019, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from models.objectives.base import Batch, Counts
from models.unpadding import pooled_logits, unpads


class Example(NamedTuple):
    """Token ids of one text and the index of its label."""

    input_ids: np.ndarray
    label: int


class SequenceClassification:
    """Rows are `Example`s; a batch is padded to its own longest row."""

    def __init__(self, *, pad: int) -> None:
        self.pad = pad

    def collate(self, rows: Sequence[Example], rng: np.random.Generator | None = None) -> Batch:
        # A tokenizer that frames no text, as GPT-2's, has no token for an empty one: what pads stands for it.
        lengths = np.array([max(1, len(row.input_ids)) for row in rows])
        longest = int(lengths.max())
        ids = np.full((len(rows), longest), self.pad, dtype=np.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row.input_ids)] = row.input_ids
        mask = np.arange(longest)[None, :] < lengths[:, None]
        labels = np.array([row.label for row in rows], dtype=np.int64)
        return {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask.astype(np.int64)),
            "labels": torch.from_numpy(labels),
        }

    def counts(self, batch: Batch) -> Counts:
        return {"rows": len(batch["labels"])}

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        losses = functional.cross_entropy(self._logits(model, batch), batch["labels"], reduction="sum")
        return losses / (counts or self.counts(batch))["rows"]

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        logits, labels = self._logits(model, batch), batch["labels"]
        return {
            "loss": functional.cross_entropy(logits, labels, reduction="sum").item(),
            "correct": (logits.argmax(-1) == labels).sum().item(),
            "count": float(len(labels)),
        }

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        return {"loss": totals["loss"] / totals["count"], "accuracy": totals["correct"] / totals["count"]}

    @staticmethod
    def _logits(model: PreTrainedModel, batch: Batch) -> Tensor:
        if unpads(model):
            return pooled_logits(model, batch)
        output: Any = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        logits: Tensor = output.logits
        return logits
