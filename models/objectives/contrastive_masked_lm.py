"""Masked language modelling that also learns what a document is about, in one forward pass.

A window of a document is cut into halves, each a row. Beside the masked tokens, the mean of a half's hidden states has
to find its other half among those of the batch (InfoNCE: van den Oord et al. 2018, eq. 4; beside masked language
modelling, on spans of one document: Giorgi et al. 2021, DeCLUTR, section 3). Masked tokens reward grammar first; the
contrast rewards topical words from the first step, which small networks and short runs would not reach otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from models.architectures import Special
from models.heads import prediction_head
from models.objectives.base import Batch, Counts, perplexity
from models.objectives.masked_lm import IGNORED, MaskedLM

NUM_BORDERS = 2  # [CLS] and [SEP] of a row


class ContrastiveMaskedLM:
    """Rows are documents, each an array of token ids without special tokens; a batch has two rows a document.

    Its validation `loss` is that of the masked tokens alone, so that it compares with masked LM and n-gram floors.
    """

    def __init__(
        self,
        special: Special,
        *,
        ordinary: np.ndarray,
        mask_share: float,
        max_seq_length: int,
        temperature: float,
        weight: float,
        continues: np.ndarray | None = None,
    ) -> None:
        self.special = special
        self.masking = MaskedLM(special, ordinary=ordinary, mask_share=mask_share, continues=continues)
        self.half = max_seq_length - NUM_BORDERS
        self.temperature = temperature
        self.weight = weight

    def collate(self, rows: Sequence[np.ndarray], rng: np.random.Generator) -> Batch:
        """The first halves of all documents, then their second halves: `[2 n, longest]`."""
        pairs = [self._halves(row, rng) for row in rows]
        halves = [first for first, _ in pairs] + [second for _, second in pairs]
        ids = np.full((len(halves), max(map(len, halves)) + NUM_BORDERS), self.special.pad, dtype=np.int64)
        for index, half in enumerate(halves):
            ids[index, : len(half) + NUM_BORDERS] = [self.special.cls, *half, self.special.sep]
        # Which token pads may be one that ends a row.
        inside = np.arange(ids.shape[1]) < np.array([len(half) + NUM_BORDERS for half in halves])[:, None]
        return self.masking.collate(ids, rng) | {"attention_mask": torch.from_numpy(inside.astype(np.int64))}

    def counts(self, batch: Batch) -> Counts:
        return self.masking.counts(batch)

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        hidden, targets, similarity = self._forward(model, batch)
        masked = prediction_head(model).loss(hidden, targets, (counts or self.counts(batch))["tokens"])
        return masked + self.weight * _contrast(similarity)

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        hidden, targets, similarity = self._forward(model, batch)
        found = similarity.argmax(1) == torch.arange(len(similarity))
        return prediction_head(model).sums(hidden, targets) | {
            "contrast": _contrast(similarity).item() * len(similarity),
            "found": found.sum().item(),
            "documents": float(len(similarity)),
        }

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        loss = totals["loss"] / totals["count"]
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "accuracy": totals["correct"] / totals["count"],
            "contrastive_loss": totals["contrast"] / totals["documents"],
            "contrastive_accuracy": totals["found"] / totals["documents"],
        }

    def _halves(self, document: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        length = min(len(document), 2 * self.half)
        start = rng.integers(0, len(document) - length + 1)
        middle = start + length // 2
        return document[start:middle], document[middle : start + length]

    def _forward(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        mask = batch["attention_mask"]
        hidden = model.base_model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        chosen = batch["labels"] != IGNORED
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        means = functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)  # [2 n, hidden_size]
        first, second = means.chunk(2)
        similarity = first @ second.T / self.temperature
        return hidden[chosen], batch["labels"][chosen], similarity


def _contrast(similarity: Tensor) -> Tensor:
    """Mean InfoNCE of both directions; the match of row i is column i of `[n, n]`."""
    targets = torch.arange(len(similarity), device=similarity.device)
    return (functional.cross_entropy(similarity, targets) + functional.cross_entropy(similarity.T, targets)) / 2
