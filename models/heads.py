"""Heads that predict tokens, for chosen positions only, and their loss without a table of all logits in memory.

A head's output layer is most of the work of a small network: 8,000 to 30,000 outputs for each position.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import LinearCrossEntropyOptions, functional
from transformers import PreTrainedModel

# Positions whose logits are in memory at a time; measured on a CPU: from 256 on as fast, below slower.
_CHUNK_SIZE = 512


class PredictionHead(NamedTuple):
    """From hidden states `[n, hidden_size]` to logits `[n, vocab_size]`: what comes before the output layer, and it."""

    transform: Callable[[Tensor], Tensor]
    weight: Tensor
    bias: Tensor | None

    def __call__(self, hidden: Tensor) -> Tensor:
        return functional.linear(self.transform(hidden), self.weight, self.bias)

    def loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Sum of the cross-entropies of `targets`, `[n]`, in nats: a scalar, 0 where there are none.

        Computed chunk by chunk, gradients with it, so that no `[n, vocab_size]` is kept: equal to the loss of the
        logits but for the order of sums.
        """
        features = self.transform(hidden).to(self.weight.dtype)
        return functional.linear_cross_entropy(
            features, self.weight, targets, linear_bias=self.bias, reduction="sum", options=_chunks(len(targets))
        )

    def sums(self, hidden: Tensor, targets: Tensor) -> dict[str, float]:
        """`loss`, the sum of the cross-entropies in nats, `correct`, how often the most probable is right, `count`."""
        loss = correct = 0.0
        for start in range(0, len(targets), _CHUNK_SIZE):
            wanted = targets[start : start + _CHUNK_SIZE]
            logits = self(hidden[start : start + _CHUNK_SIZE])
            loss += functional.cross_entropy(logits, wanted, reduction="sum").item()
            correct += (logits.argmax(-1) == wanted).sum().item()
        return {"loss": loss, "correct": correct, "count": float(len(targets))}


def _chunks(number: int) -> LinearCrossEntropyOptions:
    """Equal chunks: a small one at the end is as slow as a whole one."""
    num_chunks = max(1, -(-number // _CHUNK_SIZE))
    return LinearCrossEntropyOptions(batch_chunk_size=max(1, -(-number // num_chunks)))


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
