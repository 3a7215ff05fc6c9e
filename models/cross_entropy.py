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
LOGITS_AT_ONCE = 1 << 25


def chunks(number: int, vocab_size: int, logits_at_once: int = LOGITS_AT_ONCE) -> list[slice]:
    """Equal chunks of so many positions: a small one at the end is as slow as a whole one."""
    size = _chunk_size(number, vocab_size, logits_at_once)
    return [slice(start, start + size) for start in range(0, number, size)]


def _chunk_size(number: int, vocab_size: int, logits_at_once: int) -> int:
    most = max(1, logits_at_once // vocab_size)
    num_chunks = max(1, -(-number // most))
    return max(1, -(-number // num_chunks))


def linear_cross_entropy(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    divisor: float = 1.0,
    logits_at_once: int = LOGITS_AT_ONCE,
) -> Tensor:
    """Sum of the cross-entropies of `targets`, `[n]`, in nats, over `divisor`: a scalar, 0 where there are none.

    features: `[n, hidden_size]`. weight: `[vocab_size, hidden_size]`. bias: `[vocab_size]`. Equal to the loss of the
    logits, and its gradients, but for the order of sums. Second derivatives cannot be had.
    """
    if weight.dtype != torch.float32:
        # Sums over half precision need wider numbers, which torch's has.
        options = LinearCrossEntropyOptions(batch_chunk_size=_chunk_size(len(targets), len(weight), logits_at_once))
        return (
            functional.linear_cross_entropy(
                features, weight, targets, linear_bias=bias, reduction="sum", options=options
            )
            / divisor
        )
    loss: Tensor = _LinearCrossEntropy.apply(features, weight, bias, targets, divisor, logits_at_once)  # type: ignore[no-untyped-call]
    return loss


class _LinearCrossEntropy(Function):
    """Gradients are made in the forward pass, divided already; the backward pass hands them on."""

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        divisor: float,
        logits_at_once: int,
    ) -> Tensor:
        ctx.gradients = [
            None if of is None or not needed else torch.zeros_like(of)
            for of, needed in zip((features, weight, bias), ctx.needs_input_grad, strict=False)
        ]
        by_features, by_weight, by_bias = ctx.gradients
        divided, loss = features / divisor, features.new_zeros(())
        buffer = features.new_empty((_chunk_size(len(targets), len(weight), logits_at_once), len(weight)))
        for part in chunks(len(targets), len(weight), logits_at_once):
            here, aimed, place = features[part], targets[part, None], buffer[: len(targets[part])]
            probabilities = torch.softmax(_logits(here, weight, bias, place), -1, out=place)
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
        (factor,), gradients = outer, ctx.gradients
        # What is kept here as well would be copied where it is wanted, not handed on.
        ctx.gradients = None
        if gradients is None:
            raise RuntimeError("the gradients of this loss were handed on; compute the loss again")
        scaled = gradients if factor == 1 else [None if one is None else one * factor for one in gradients]
        return (*scaled, None, None, None)


def _logits(features: Tensor, weight: Tensor, bias: Tensor | None, out: Tensor) -> Tensor:
    if bias is None:
        return torch.mm(features, weight.t(), out=out)
    return torch.addmm(bias, features, weight.t(), out=out)


def _logarithms(likely: Tensor, features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """Logarithms of the targets' probabilities `likely`, `[n, 1]`; of those too small for a number, from the logits."""
    found = likely.log()
    lost = (likely < torch.finfo(likely.dtype).tiny).squeeze(1)
    if lost.any():
        rows = functional.linear(features[lost], weight, bias)
        found[lost] = rows.log_softmax(-1).gather(1, targets[lost])
    return found
