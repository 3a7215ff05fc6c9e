"""Heads that predict tokens, for chosen positions only, and their loss without a table of all logits in memory.

A head's output layer is most of the work of a small network: 8,000 to 30,000 outputs for each position.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from models.cross_entropy import chunks, linear_cross_entropy


class PredictionHead(NamedTuple):
    """From hidden states `[n, hidden_size]` to logits `[n, vocab_size]`: what comes before the output layer, and it."""

    transform: Callable[[Tensor], Tensor]
    weight: Tensor
    bias: Tensor | None

    def __call__(self, hidden: Tensor) -> Tensor:
        return functional.linear(self.transform(hidden), self.weight, self.bias)

    def loss(self, hidden: Tensor, targets: Tensor, divisor: float = 1.0) -> Tensor:
        """Sum of the cross-entropies of `targets`, `[n]`, in nats, over `divisor`: a scalar, 0 where there are none."""
        features = self.transform(hidden).to(self.weight.dtype)
        return linear_cross_entropy(features, self.weight, self.bias, targets, divisor)

    def sums(self, hidden: Tensor, targets: Tensor) -> dict[str, float]:
        """`loss`, the sum of the cross-entropies in nats, `correct`, how often the most probable is right, `count`."""
        loss = correct = 0.0
        for part in chunks(len(targets), len(self.weight)):
            wanted, logits = targets[part], self(hidden[part])
            loss += functional.cross_entropy(logits, wanted, reduction="sum").item()
            correct += (logits.argmax(-1) == wanted).sum().item()
        return {"loss": loss, "correct": correct, "count": float(len(targets))}


def prediction_head(model: PreTrainedModel) -> PredictionHead:
    """The head of a language model of any architecture."""
    transform, output = _HEADS[model.config.model_type](model)
    return PredictionHead(transform, output.weight, output.bias)


def _bart(model: Any) -> tuple[Callable[[Tensor], Tensor], Any]:
    # Its bias is a buffer beside the output layer, zero in every model that BART itself trains.
    return _unchanged, PredictionHead(_unchanged, model.lm_head.weight, model.final_logits_bias.squeeze(0))


def _t5(model: Any) -> tuple[Callable[[Tensor], Tensor], nn.Linear]:
    scale = model.model_dim**-0.5 if model.config.scale_decoder_outputs else 1.0
    return lambda hidden: hidden * scale, model.lm_head


def _unchanged(hidden: Tensor) -> Tensor:
    return hidden


_HEADS: dict[str, Callable[[Any], tuple[Callable[[Tensor], Tensor], Any]]] = {
    "bert": lambda model: (model.cls.predictions.transform, model.cls.predictions.decoder),
    "modernbert": lambda model: (model.head, model.decoder),
    "electra": lambda model: (model.generator_predictions, model.generator_lm_head),
    "gpt2": lambda model: (_unchanged, model.lm_head),
    "llama": lambda model: (_unchanged, model.lm_head),
    "t5": _t5,
    "bart": _bart,
}
