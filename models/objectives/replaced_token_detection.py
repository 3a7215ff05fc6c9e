"""Replaced token detection (ELECTRA: Clark et al. 2020, section 3.1): tell the words of a text from a generator's.

A small generator learns masked language modelling and fills the masked places with tokens that it draws; the detector
says of every token whether it is the original. A token that the generator guesses right counts as original. What is
drawn depends on numbers that `collate` puts into the batch, so a resumed run draws the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from models.architectures import Special
from models.heads import prediction_head
from models.objectives.base import Batch, Counts
from models.objectives.masked_lm import IGNORED, MaskedLM
from models.packing import Packed, as_packed, model_inputs, placed
from models.reading import hidden_states_at


class ReplacedTokenDetection:
    """Rows are token ids `[n, length]`, an array or `Packed`; the model is a `DiscriminatorWithGenerator`.

    weight: of the detector's loss beside the generator's (50: appendix A). Validation `loss` is that weighted sum.
    """

    def __init__(
        self,
        special: Special,
        *,
        ordinary: np.ndarray,
        mask_share: float = 0.15,
        weight: float = 50.0,
        continues: np.ndarray | None = None,
    ) -> None:
        self.special = special
        self.masking = MaskedLM(special, ordinary=ordinary, mask_share=mask_share, continues=continues)
        self.weight = weight

    def collate(self, rows: np.ndarray | Packed, rng: np.random.Generator) -> Batch:
        """`input_ids` as the generator sees them, `labels` at the masked places, and `draws` in [0, 1)."""
        packed = as_packed(rows)
        ids, chosen = packed.ids, self.masking.choose(packed, rng)
        return {
            "input_ids": torch.from_numpy(np.where(chosen, self.special.mask, ids)),
            "labels": torch.from_numpy(np.where(chosen, ids, IGNORED)),
            "draws": torch.from_numpy(rng.random(ids.shape)),
            **placed(rows),
        }

    def counts(self, batch: Batch) -> Counts:
        return {"masked": self.masking.counts(batch)["tokens"], "tokens": max(1, int(_tokens(batch).sum()))}

    def loss(self, model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
        logits, targets, detected, replaced = self._forward(model, batch)
        counts = counts or self.counts(batch)
        generator = functional.cross_entropy(logits, targets, reduction="sum") / counts["masked"]
        detector = functional.binary_cross_entropy_with_logits(detected, replaced.float(), reduction="sum")
        return generator + self.weight * detector / counts["tokens"]

    def sums(self, model: PreTrainedModel, batch: Batch) -> dict[str, float]:
        logits, targets, detected, replaced = self._forward(model, batch)
        said = detected > 0
        return {
            "generator": functional.cross_entropy(logits, targets, reduction="sum").item(),
            "count": float(len(targets)),
            "detector": functional.binary_cross_entropy_with_logits(detected, replaced.float(), reduction="sum").item(),
            "right": (said == replaced).sum().item(),
            "tokens": float(replaced.numel()),
            "found": (said & replaced).sum().item(),
            "replaced": replaced.sum().item(),
        }

    def metrics(self, totals: dict[str, float]) -> dict[str, float]:
        generator, detector = totals["generator"] / totals["count"], totals["detector"] / totals["tokens"]
        return {
            "loss": generator + self.weight * detector,
            "generator_loss": generator,
            "detection_loss": detector,
            "detection_accuracy": totals["right"] / totals["tokens"],
            "replaced_found": totals["found"] / max(1.0, totals["replaced"]),
            "replaced_share": totals["replaced"] / totals["tokens"],
        }

    @staticmethod
    def _forward(model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Logits and targets: `[chosen, vocab_size]` and `[chosen]` of the generator, `[tokens]` of the detector."""
        chosen = batch["labels"] != IGNORED
        network: Any = model
        hidden = hidden_states_at(network.generator, batch, chosen)
        logits, targets = prediction_head(network.generator)(hidden), batch["labels"][chosen]
        drawn = drawn_tokens(logits.detach(), batch["draws"][chosen])
        spoilt = batch["input_ids"].masked_scatter(chosen, drawn)
        replaced = torch.zeros_like(chosen).masked_scatter(chosen, drawn != targets)
        detected: Tensor = network(**model_inputs(model, batch | {"input_ids": spoilt})).logits
        tokens = _tokens(batch)
        return logits, targets, detected[tokens], replaced[tokens]


def _tokens(batch: Batch) -> Tensor:
    """Where a batch has tokens and not padding, `[n, length]` of bool."""
    mask = batch.get("attention_mask")
    return torch.ones_like(batch["input_ids"], dtype=torch.bool) if mask is None else mask > 0


def drawn_tokens(logits: Tensor, draws: Tensor) -> Tensor:
    """Tokens drawn from softmax(logits) by inverting its distribution function at `draws`, `[n]`."""
    # In float32 the sum over a large vocabulary is not exactly one, and the last tokens would come too often.
    reached = logits.double().softmax(-1).cumsum(-1)
    places = torch.searchsorted(reached, draws[:, None] * reached[:, -1:], right=True)[:, 0]
    return places.clamp(max=logits.shape[-1] - 1)
