"""What a network answers, and what it would learn from that, so that two ways to compute it can be compared."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def with_gradients(model: nn.Module, output: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """The output, and the gradients by name of a sum that weighs each of its numbers in another way."""
    (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    return output.detach(), found


def assert_same(found: tuple[Tensor, dict[str, Tensor]], wanted: tuple[Tensor, dict[str, Tensor]]) -> None:
    """Equal but for the order of sums."""
    assert found[1].keys() == wanted[1].keys()
    pairs = [(found[0], wanted[0]), *((found[1][name], gradient) for name, gradient in wanted[1].items())]
    for one, other in pairs:
        scale = max(1.0, float(other.abs().max()))
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * scale)
