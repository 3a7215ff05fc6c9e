"""What objectives on two segments of a document share: masked language modelling and a judgement on the pair.

A window of a document is cut in two, A and B, which become `[CLS] A [SEP] B [SEP]`; the objective says which pairs
are spoilt, and how. Unlike in BERT and ALBERT the cut falls on any token, not on the end of a sentence.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from models.architectures import Special
from models.heads import prediction_head
from models.objectives.base import Batch, Counts, perplexity
from models.objectives.masked_lm import IGNORED, MaskedLM
from models.reading import hidden_states_at

NUM_BORDERS = 3  # [CLS] and two [SEP] of a row

Pair = tuple[np.ndarray, np.ndarray]


class SegmentPairs(ABC):
    """Rows are documents, each an array of token ids without special tokens; a batch has one row a document.

    Its validation `loss` is that of the masked tokens alone, so that it compares with masked LM and n-gram floors;
    training minimises its sum with the loss of the judgement (Devlin et al. 2019, appendix A.2).
    """

    def __init__(
        self,
        special: Special,
        *,
        ordinary: np.ndarray,
        mask_share: float,
        max_seq_length: int,
        continues: np.ndarray | None = None,
    ) -> None:
        self.special = special
        self.masking = MaskedLM(special, ordinary=ordinary, mask_share=mask_share, continues=continues)
        self.window = max_seq_length - NUM_BORDERS

    @abstractmethod
    def spoil(self, pairs: list[Pair], chosen: np.ndarray, rng: np.random.Generator) -> tuple[list[Pair], np.ndarray]:
        """The pairs with those at `chosen`, `[n]` of bool, spoilt, and which of them really are."""

    def collate(self, rows: Sequence[np.ndarray], rng: np.random.Generator) -> Batch:
        pairs = [self._cut(row, rng) for row in rows]
        pairs, spoilt = self.spoil(pairs, rng.random(len(rows)) < 0.5, rng)
        lengths = np.array([(len(first), len(second)) for first, second in pairs])
        shape = (len(pairs), lengths.sum(1).max() + NUM_BORDERS)
        ids = np.full(shape, self.special.pad, dtype=np.int64)
        for index, (first, second) in enumerate(pairs):
            row = [self.special.cls, *first, self.special.sep, *second, self.special.sep]
            ids[index, : len(row)] = row
        inside = np.arange(shape[1]) < lengths.sum(1, keepdims=True) + NUM_BORDERS
        second_segment = inside & (np.arange(shape[1]) >= lengths[:, :1] + 2)
        return self.masking.collate(ids, rng) | {
            "attention_mask": torch.from_numpy(inside.astype(np.int64)),
            "token_type_ids": torch.from_numpy(second_segment.astype(np.int64)),
            "spoilt": torch.from_numpy(spoilt.astype(np.int64)),
        }

    def counts(self, batch: Batch) -> Counts:
        return self.masking.counts(batch) | {"pairs": len(batch["spoilt"])}

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        hidden, targets, judged = self._forward(model, batch)
        counts = counts or self.counts(batch)
        masked = prediction_head(model).loss(hidden, targets, counts["tokens"])
        return masked + functional.cross_entropy(judged, batch["spoilt"], reduction="sum") / counts["pairs"]

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        hidden, targets, judged = self._forward(model, batch)
        return prediction_head(model).sums(hidden, targets) | {
            "pair_loss": functional.cross_entropy(judged, batch["spoilt"], reduction="sum").item(),
            "pairs_right": (judged.argmax(-1) == batch["spoilt"]).sum().item(),
            "pairs": float(len(judged)),
        }

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        loss = totals["loss"] / totals["count"]
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "accuracy": totals["correct"] / totals["count"],
            "pair_loss": totals["pair_loss"] / totals["pairs"],
            "pair_accuracy": totals["pairs_right"] / totals["pairs"],
        }

    def _cut(self, document: np.ndarray, rng: np.random.Generator) -> Pair:
        length = min(len(document), self.window)
        start = rng.integers(0, len(document) - length + 1)
        # Where the cut falls must not tell which part came first, so it is anywhere in the middle half of the window.
        middle = start + rng.integers(length // 4, length - length // 4 + 1)
        return document[start:middle], document[middle : start + length]

    @staticmethod
    def _forward(model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        chosen = batch["labels"] != IGNORED
        network: Any = model
        first = torch.zeros_like(chosen)
        first[:, 0] = True
        hidden, pools = hidden_states_at(model, batch, chosen | first), first[chosen | first]
        pooled = network.base_model.pooler(hidden[pools][:, None])
        return hidden[~pools], batch["labels"][chosen], network.cls.seq_relationship(pooled)  # last: [n, 2]
