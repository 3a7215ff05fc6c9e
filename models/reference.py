"""Attention and Transformer blocks written to be read; nothing is trained with them.

Tests hold that they compute what `transformers` computes, so they say what the fast code of a model does. Linear layers
multiply from the left and keep a matrix as [out, in]; GPT-2's own keep theirs the other way round. There is no dropout
and no cache of keys and values. `docs/reference-transformer.md` walks through the file.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# Su et al. 2021 (RoFormer), section 3.2.2; Llama kept it. The slowest features turn once in about 60,000 tokens.
ROTARY_BASE = 10_000.0


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(Q K^T / sqrt(d_k)) V: Vaswani et al. 2017, equation 1.

    query: [..., num_queries, d_k]; key: [..., num_keys, d_k]; value: [..., num_keys, d_v]; mask: bool, broadcast to
    [..., num_queries, num_keys], True where a query may look. Returns [..., num_queries, d_v]. A query that may look
    nowhere has no answer: NaN.
    """
    # The variance of a sum of d_k products grows with d_k, and a softmax of large numbers hardly learns (3.2.1).
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ value


class MultiHeadAttention(nn.Module):
    """Attention of a sequence to itself in `num_heads` subspaces: Vaswani et al. 2017, section 3.2.2.

    rotary: turn queries and keys by their positions (Su et al. 2021, equation 34), so that a score depends on the
    distance of two tokens and not on where they are. Raises ValueError when the heads do not divide hidden_size.
    """

    def __init__(self, hidden_size: int, num_heads: int, *, bias: bool = True, rotary: bool = False) -> None:
        super().__init__()
        if hidden_size % num_heads:
            raise ValueError(
                f"hidden_size {hidden_size} is not a multiple of num_heads {num_heads}: choose one that is"
            )
        self.num_heads, self.rotary = num_heads, rotary
        # The matrices W_i^Q of all heads below one another are one matrix; so are those of keys and values.
        self.query = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.key = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.value = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.output = nn.Linear(hidden_size, hidden_size, bias=bias)

    def forward(self, hidden: Tensor, mask: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """hidden: [n, length, hidden_size]; returns the same shape.

        mask: bool, [length, length] or [n, length, length], True where a token (row) may look (column).
        positions: [n, length], for rotary attention; default: 0, 1, ... in every row.
        """
        query, key, value = (self._heads(layer(hidden)) for layer in (self.query, self.key, self.value))
        if self.rotary:
            places = torch.arange(hidden.shape[1], device=hidden.device) if positions is None else positions
            query, key = _rotated(query, places), _rotated(key, places)
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]  # the same for all heads
        mixed = attention(query, key, value, mask)  # [n, num_heads, length, head_size]
        together: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return together

    def _heads(self, projected: Tensor) -> Tensor:
        """[n, length, hidden_size] to [n, num_heads, length, head_size]."""
        return projected.reshape(*projected.shape[:2], self.num_heads, -1).transpose(1, 2)


class PostNormBlock(nn.Module):
    """LayerNorm(x + Sublayer(x)), twice: Vaswani et al. 2017, sections 3.1 and 3.3, with BERT's GELU."""

    def __init__(self, hidden_size: int, num_heads: int, intermediate_size: int, *, eps: float = 1e-12) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(hidden_size, num_heads)
        self.attention_norm = nn.LayerNorm(hidden_size, eps)
        self.inner = nn.Linear(hidden_size, intermediate_size)
        self.outer = nn.Linear(intermediate_size, hidden_size)
        self.output_norm = nn.LayerNorm(hidden_size, eps)

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """hidden: [n, length, hidden_size]; mask as in `MultiHeadAttention`."""
        hidden = self.attention_norm(hidden + self.attention(hidden, mask))
        after: Tensor = self.output_norm(hidden + self.outer(functional.gelu(self.inner(hidden))))
        return after


class PreNormBlock(nn.Module):
    """x + Sublayer(LayerNorm(x)), twice: Radford et al. 2019, section 2.3. Causal unless a mask says otherwise.

    What is added up is never normalised, so gradients reach every layer undamped (Xiong et al. 2020, section 3).
    """

    def __init__(self, hidden_size: int, num_heads: int, intermediate_size: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_size, eps)
        self.attention = MultiHeadAttention(hidden_size, num_heads)
        self.output_norm = nn.LayerNorm(hidden_size, eps)
        self.inner = nn.Linear(hidden_size, intermediate_size)
        self.outer = nn.Linear(intermediate_size, hidden_size)

    def forward(self, hidden: Tensor, mask: Tensor | None = None) -> Tensor:
        """hidden: [n, length, hidden_size]; mask as in `MultiHeadAttention`, on top of the causal one."""
        hidden = hidden + self.attention(self.attention_norm(hidden), _causal(hidden, mask))
        # The released GPT-2 was trained with the tanh approximation of GELU (Hendrycks and Gimpel 2016, section 2).
        inner = functional.gelu(self.inner(self.output_norm(hidden)), approximate="tanh")
        after: Tensor = hidden + self.outer(inner)
        return after


class LlamaBlock(nn.Module):
    """A pre-norm block with RMSNorm, rotary positions, SwiGLU and no bias: Touvron et al. 2023, section 2.2."""

    def __init__(self, hidden_size: int, num_heads: int, intermediate_size: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(hidden_size, eps)
        self.attention = MultiHeadAttention(hidden_size, num_heads, bias=False, rotary=True)
        self.output_norm = nn.RMSNorm(hidden_size, eps)
        self.gate = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.inner = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.outer = nn.Linear(intermediate_size, hidden_size, bias=False)

    def forward(self, hidden: Tensor, mask: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """hidden: [n, length, hidden_size]; mask and positions as in `MultiHeadAttention`, the mask causal as well."""
        hidden = hidden + self.attention(self.attention_norm(hidden), _causal(hidden, mask), positions)
        normed = self.output_norm(hidden)
        # Shazeer 2020, equation 6: a gate with SiLU in place of an activation.
        after: Tensor = hidden + self.outer(functional.silu(self.gate(normed)) * self.inner(normed))
        return after


def _causal(hidden: Tensor, mask: Tensor | None) -> Tensor:
    """A token may look at itself and at those before it, as far as `mask` lets it."""
    length = hidden.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()
    return before if mask is None else before & mask


def _rotated(heads: Tensor, positions: Tensor) -> Tensor:
    """Turn each pair of features by position times its frequency; heads: [n, num_heads, length, head_size].

    Features i and i + head_size / 2 are a pair, as in Llama's released weights; the paper pairs 2i and 2i + 1.
    """
    half = heads.shape[-1] // 2
    frequencies = ROTARY_BASE ** -(torch.arange(half, device=heads.device) / half)
    angles = positions[..., None] * frequencies  # [length, half] or [n, length, half]
    if angles.ndim == 3:
        angles = angles[:, None]
    first, second = heads[..., :half], heads[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
