"""The floor of a language model: an interpolated modified Kneser-Ney bigram on the same token blocks.

Losses are nats a token under one tokenizer, so compare them only with a network that uses it. A position that is
chosen for masking counts as hidden, although a network sees the few chosen tokens that are kept or replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lmforge.errors import InputError

Array = NDArray[Any]
Floats = NDArray[np.float64]

# Discounts for corpora too small to estimate them: the published fallback of lmplz (KenLM).
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
# Bound memory: about 100 MB of sorted pairs, and rows of frequent tokens with thousands of entries each.
FIT_TOKENS = 1 << 22
SCORE_POSITIONS = 1 << 10


@dataclass(frozen=True)
class BigramModel:
    """p(next | left) = discounted[left, next] + escape[left] * continuation[next].

    unigram, continuation, escape: float64 [vocab_size], the first two sum to 1; discounted: sparse [left, next].
    The interpolated form with three discounts is Chen & Goodman (1999), An empirical study of smoothing techniques for
    language modeling, section 3; the continuation unigram is discounted alike and interpolated with 1 / vocab_size.
    """

    unigram: Floats
    continuation: Floats
    escape: Floats
    discounted: sparse.csr_matrix

    @classmethod
    def fit(cls, blocks: Array, vocab_size: int) -> BigramModel:
        """Estimate from token blocks, integers [num_blocks, block_length]; no pair crosses a block's end.

        Raises InputError when there are no pairs or a token id is not below vocab_size.
        """
        counts, frequencies = _count(blocks, vocab_size)
        contexts = np.bincount(counts.indices, minlength=vocab_size)  # distinct left neighbours of each token
        totals = np.asarray(counts.sum(axis=1)).ravel()
        discounted = counts.astype(np.float64)
        discounted.data -= _discounts(counts.data)[np.minimum(counts.data, 3)]
        # By stored entry: dividing the sparse matrix by a column would make it dense.
        rows = np.repeat(np.arange(vocab_size), np.diff(counts.indptr))
        discounted.data /= totals[rows]
        escape = 1.0 - np.asarray(discounted.sum(axis=1)).ravel()
        return cls(_smooth(frequencies), _smooth(contexts), escape, discounted)

    def probability(self, left: Array, following: Array) -> Floats:
        """p(following | left), elementwise over two arrays [num_pairs] of token ids."""
        seen = np.asarray(self.discounted[left, following]).ravel()
        return np.asarray(seen + self.escape[left] * self.continuation[following])

    def causal_loss(self, blocks: Array) -> float:
        """Mean nats a token of predicting each block's tokens from the second on, as a causal network does."""
        total, num_tokens = 0.0, 0
        for part in _parts(blocks):
            left, following = _pairs(part)
            total -= float(np.log(self.probability(left, following)).sum())
            num_tokens += len(left)
        return total / num_tokens

    def masked_loss(self, blocks: Array, mask: Array, special_ids: Sequence[int] = ()) -> float:
        """Mean nats a token hidden by `mask`, bool like `blocks`, given its two neighbours.

        The posterior is exact: p(w | l, r) = p(w | l) p(r | w) / sum over w'. A neighbour that is hidden too or beyond
        the block is left out; without a left one p(w | l) is the frequency unigram, which is the bigram's marginal (the
        continuation unigram is not). Special ids are neither scored nor possible answers. Raises InputError when
        nothing is hidden.
        """
        total, num_tokens = 0.0, 0
        for target, left, right in _hidden(blocks, mask, special_ids):
            joint, evidence = self._joint(target, left, right), self._evidence(left, right)
            specials = sum(self._joint(np.full_like(target, special), left, right) for special in special_ids)
            total -= float((np.log(joint) - np.log(evidence - specials)).sum())
            num_tokens += len(target)
        return total / num_tokens

    def unigram_loss(self, blocks: Array, mask: Array | None = None, special_ids: Sequence[int] = ()) -> float:
        """Mean nats a token by frequency alone; over the tokens of causal_loss, or with a mask of masked_loss."""
        if mask is None:
            return _mean([-np.log(self.unigram[_pairs(part)[1]]) for part in _parts(blocks)])
        possible = np.log1p(-self.unigram[list(special_ids)].sum())
        targets = [target for target, _, _ in _hidden(blocks, mask, special_ids)]
        return _mean([possible - np.log(self.unigram[target]) for target in targets])

    def _joint(self, target: Array, left: Array, right: Array) -> Floats:
        """p(target | left) p(right | target), where a neighbour of -1 is left out."""
        values = np.where(left < 0, self.unigram[target], self.probability(np.maximum(left, 0), target))
        return np.asarray(values * np.where(right < 0, 1.0, self.probability(target, np.maximum(right, 0))))

    def _evidence(self, left: Array, right: Array) -> Floats:
        """The sum of _joint over the vocabulary, multiplied out so that nothing of size vocab_size is made a position.

        (D[l, w] + e[l] c[w]) (D[w, r] + e[w] c[r]) has four products; only D[l] . D[:, r] needs both neighbours.
        """
        columns, after, before, start = self._sums
        values = np.ones(len(left))
        alone = (left < 0) & (right >= 0)
        r = right[alone]
        values[alone] = start[r] + (self.unigram @ self.escape) * self.continuation[r]
        both = (left >= 0) & (right >= 0)
        l, r = left[both], right[both]  # noqa: E741
        meeting = np.asarray(self.discounted[l].multiply(columns[r]).sum(axis=1)).ravel()
        backed_off = before[r] + (self.continuation @ self.escape) * self.continuation[r]
        values[both] = meeting + after[l] * self.continuation[r] + self.escape[l] * backed_off
        return values

    @cached_property
    def _sums(self) -> tuple[sparse.csr_matrix, Floats, Floats, Floats]:
        """D transposed, and of D with escape after each token, with continuation and with unigram before each."""
        columns = self.discounted.T.tocsr()
        return columns, self.discounted @ self.escape, columns @ self.continuation, columns @ self.unigram


def _count(blocks: Array, vocab_size: int) -> tuple[sparse.csr_matrix, Array]:
    """Pair counts, sparse int64 [left, following], and token counts [vocab_size]."""
    if blocks.ndim != 2 or blocks.shape[0] == 0 or blocks.shape[1] < 2:
        raise InputError(f"token blocks of shape {blocks.shape}: a bigram needs [num_blocks, block_length >= 2]")
    counts = sparse.csr_matrix((vocab_size, vocab_size), dtype=np.int64)
    frequencies = np.zeros(vocab_size, dtype=np.int64)
    for part in _parts(blocks):
        if (highest := int(part.max())) >= vocab_size:
            raise InputError(f"token id {highest} in the blocks: ids must be below vocab_size {vocab_size}")
        left, following = _pairs(part)
        codes, sizes = np.unique(left * vocab_size + following, return_counts=True)
        counts = counts + sparse.csr_matrix((sizes, np.divmod(codes, vocab_size)), shape=counts.shape)
        frequencies += np.bincount(part.ravel(), minlength=vocab_size)
    return counts, frequencies


def _parts(blocks: Array) -> Iterator[Array]:
    """Blocks in chunks of bounded size, so that a memory-mapped corpus stays on disk."""
    step = max(1, FIT_TOKENS // blocks.shape[1])
    for start in range(0, len(blocks), step):
        yield np.asarray(blocks[start : start + step])


def _pairs(blocks: Array) -> tuple[Array, Array]:
    return blocks[:, :-1].ravel().astype(np.int64), blocks[:, 1:].ravel().astype(np.int64)


def _discounts(counts: Array) -> Floats:
    """What to take from a count of 0, 1, 2 and 3 or more: D_k = k - (k + 1) Y n_{k+1} / n_k, Y = n1 / (n1 + 2 n2)."""
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == size)) for size in (1, 2, 3, 4))
    discounts = FALLBACK_DISCOUNTS
    # Without a count of some size the ratio is undefined; a negative discount would add probability to what was seen.
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        estimated = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        discounts = estimated if min(estimated) > 0 else discounts
    return np.array([0.0, *discounts])


def _smooth(counts: Array) -> Floats:
    """Counts to probabilities [vocab_size]: discounted, and what was taken spread evenly, so that none is 0."""
    left = (counts - _discounts(counts)[np.minimum(counts, 3)]) / counts.sum()
    return np.asarray(left + (1.0 - left.sum()) / len(counts), dtype=np.float64)


def _hidden(blocks: Array, mask: Array, special_ids: Sequence[int]) -> Iterator[tuple[Array, Array, Array]]:
    """Chunks of hidden tokens with their left and right neighbour, int64 [chunk] each; -1 stands for none."""
    if mask.shape != blocks.shape:
        raise InputError(f"a mask of shape {mask.shape} over blocks of shape {blocks.shape}: they must be equal")
    hidden = mask & ~np.isin(blocks, list(special_ids))
    if not hidden.any():
        raise InputError(f"the mask hides none of {blocks.size} tokens, special ones aside: hide at least one")
    visible = np.where(hidden, -1, blocks.astype(np.int64))
    edge = np.full((len(blocks), 1), -1)
    before, after = np.hstack([edge, visible[:, :-1]]), np.hstack([visible[:, 1:], edge])
    rows, columns = np.nonzero(hidden)
    for start in range(0, len(rows), SCORE_POSITIONS):
        at = rows[start : start + SCORE_POSITIONS], columns[start : start + SCORE_POSITIONS]
        yield blocks[at].astype(np.int64), before[at], after[at]


def _mean(parts: Sequence[Floats]) -> float:
    return float(np.concatenate(parts).mean())
