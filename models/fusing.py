"""Parts that transformers writes as many small operations, in few: the same functions of the same weights.

On a CPU each of them reads and writes all activations; together they are a tenth of a T5's training step.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from transformers.activations import NewGELUActivation
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.t5.modeling_t5 import T5LayerNorm


def fuse(model: nn.Module) -> None:
    """Fuse activations and norms in place; names of weights, and the configuration, stay what they are."""
    for module in list(model.modules()):
        if isinstance(module, T5LayerNorm | LlamaRMSNorm):
            module.forward = MethodType(_normalized, module)  # type: ignore[method-assign]
        for name, part in module.named_children():
            if isinstance(part, NewGELUActivation):
                setattr(module, name, nn.GELU(approximate="tanh"))


def _normalized(module: Any, hidden: Tensor) -> Tensor:
    """`forward` of a norm. Compiled code fuses transformers' own form, and other devices and precisions have it."""
    plain = hidden.device.type != "cpu" or hidden.dtype != torch.float32 or module.weight.dtype != torch.float32
    if plain or torch.compiler.is_compiling():
        normalized: Tensor = type(module).forward(module, hidden)
    else:
        normalized = _RootMeanSquareNorm.apply(hidden, module.weight, module.variance_epsilon)  # type: ignore[no-untyped-call]
    return normalized


class _RootMeanSquareNorm(Function):
    """Zhang and Sennrich 2019, equation 4: `x / sqrt(mean(x^2) + epsilon) * weight` over the last dimension."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
        size = hidden.shape[-1]
        root = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True)
        scale = root.square_().div_(size).add_(epsilon).rsqrt_()
        ctx.save_for_backward(hidden, weight, scale)
        normalized: Tensor = (hidden * scale).mul_(weight)
        return normalized

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None]:
        # A layer norm whose mean is zero takes the mean of the gradient away, which this norm does not.
        (gradient,), (hidden, weight, scale) = outer, ctx.saved_tensors
        size = hidden.shape[-1]
        by_hidden, by_weight, _ = torch.ops.aten.native_layer_norm_backward(
            gradient, hidden, [size], torch.zeros_like(scale), scale, weight, None, [True, True, False]
        )
        mean = torch.mv(gradient.reshape(-1, size), weight).view(scale.shape)
        return by_hidden.addcmul_(scale, mean, value=1 / size), by_weight, None
