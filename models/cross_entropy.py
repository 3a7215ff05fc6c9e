"""Cross-entropy of a linear output layer, chunk by chunk, so that no `[n, vocab_size]` of logits is kept.

What stands between the three matrix products of a chunk is one softmax in place: the gradient of a cross-entropy by its
logits is the softmax less one at the target, so both gradients are made while the probabilities are at hand. torch's
`linear_cross_entropy` reads and writes the logits several times more: 8 % of its time on a CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import LinearCrossEntropyOptions, functional

# Logits that are in memory at a time, 128 MB; measured on a CPU: from 512 positions of 16,384 on as fast, below slower.
_LOGITS_AT_ONCE = 1 << 25


def chunks(number: int, vocab_size: int) -> list[slice]:
    """Equal chunks of so many positions: a small one at the end is as slow as a whole one."""
    size = _chunk_size(number, vocab_size)
    return [slice(start, start + size) for start in range(0, number, size)]


def _chunk_size(number: int, vocab_size: int) -> int:
    most = max(1, _LOGITS_AT_ONCE // vocab_size)
    num_chunks = max(1, -(-number // most))
    return max(1, -(-number // num_chunks))


def linear_cross_entropy(
    features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, divisor: float = 1.0
) -> Tensor:
    """Sum of the cross-entropies of `targets`, `[n]`, in nats, over `divisor`: a scalar, 0 where there are none.

    features: `[n, hidden_size]`. weight: `[vocab_size, hidden_size]`. bias: `[vocab_size]`. Equal to the loss of the
    logits, and its gradients, but for the order of sums. Second derivatives cannot be had.
    """
    if weight.dtype != torch.float32:
        # Sums over half precision need wider numbers, which torch's has.
        options = LinearCrossEntropyOptions(batch_chunk_size=_chunk_size(len(targets), len(weight)))
        return (
            functional.linear_cross_entropy(
                features, weight, targets, linear_bias=bias, reduction="sum", options=options
            )
            / divisor
        )
    loss: Tensor = _LinearCrossEntropy.apply(features, weight, bias, targets, divisor)  # type: ignore[no-untyped-call]
    return loss


class _LinearCrossEntropy(Function):
    """Gradients are made in the forward pass, divided already; the backward pass hands them on."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, divisor: float
    ) -> Tensor:
        ctx.gradients = [
            None if of is None or not needed else torch.zeros_like(of)
            for of, needed in zip((features, weight, bias), ctx.needs_input_grad, strict=False)
        ]
        by_features, by_weight, by_bias = ctx.gradients
        divided, loss = features / divisor, features.new_zeros(())
        buffer = features.new_empty((_chunk_size(len(targets), len(weight)), len(weight)))
        for part in chunks(len(targets), len(weight)):
            here, aimed = features[part], targets[part, None]
            probabilities = torch.softmax(_logits(here, weight, bias, buffer[: len(here)]), -1, out=buffer[: len(here)])
            likely = probabilities.gather(1, aimed)
            loss -= _logarithms(likely, here, weight, bias, aimed).sum()
            probabilities.scatter_(1, aimed, likely - 1)
            if by_features is not None:
                torch.mm(probabilities, weight, out=by_features[part]).div_(divisor)
            if by_weight is not None:
                by_weight.addmm_(probabilities.t(), divided[part])
            if by_bias is not None:
                by_bias.add_(probabilities.sum(0), alpha=1 / divisor)
        return loss / divisor

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        (factor,) = outer
        if factor != 1:
            ctx.gradients = [None if one is None else one * factor for one in ctx.gradients]
        return (*ctx.gradients, None, None)


def _logits(features: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> Tensor:
    product = (
        torch.mm(features, weight.t(), out=out) if bias is None else torch.addmm(bias, features, weight.t(), out=out)
    )
    return product


def _logarithms(likely: Tensor, features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """Logarithms of the targets' probabilities `likely`, `[n, 1]`; of those too small for a number, from the logits."""
    found = likely.log()
    lost = (likely < torch.finfo(likely.dtype).tiny).squeeze(1)
    if lost.any():
        rows = functional.linear(features[lost], weight, bias)
        found[lost] = rows.log_softmax(-1).gather(1, targets[lost])
    return found
