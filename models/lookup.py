"""Looking tokens up in a table without a gradient as large as the table for the few rows that a batch has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

KeepRows = Callable[[Tensor, Tensor], None]


def look_up(ids: Tensor, weight: Tensor, padding_idx: int | None, keep: KeepRows) -> Tensor:
    """Vectors of ids, `[..., embedding_dim]`. The backward pass gives `weight` no gradient.

    It calls `keep` with the ids, `[n]`, and the gradients of their rows, `[n, embedding_dim]`, those of `padding_idx`
    left out.
    """
    found: Tensor = _Lookup.apply(ids, weight, padding_idx, keep)  # type: ignore[no-untyped-call]
    return found


class _Lookup(Function):
    @staticmethod
    def forward(ctx: Any, ids: Tensor, weight: Tensor, padding_idx: int | None, keep: KeepRows) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.padding_idx, ctx.keep = padding_idx, keep
        return functional.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None, None]:
        (ids,) = ctx.saved_tensors
        ids, rows = ids.flatten(), gradients[0].flatten(0, -2)
        if ctx.padding_idx is not None:
            kept = ids != ctx.padding_idx
            ids, rows = ids[kept], rows[kept]
        ctx.keep(ids, rows)
        return None, None, None, None
