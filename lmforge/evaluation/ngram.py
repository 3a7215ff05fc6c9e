"""The floor of a language model: an interpolated modified Kneser-Ney n-gram model of the same token blocks.

Losses are nats a token under one tokenizer, so compare them only with a network that uses it. A position that is
chosen for masking counts as hidden, although a network sees the few chosen tokens that are kept or replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lmforge.errors import InputError
from lmforge.evaluation.ngram_counting import LOWER, RAW, Array, Floats, Level, count_levels, reaches
from lmforge.evaluation.ngram_posterior import Posterior
from lmforge.evaluation.ngram_words import Windows

# On the example corpus the third token of context gains 0.13 nats and the fourth 0.03: more would only cost memory.
ORDER = 5
# About 1 GB to count. Runs are spread, because a source may be at one end of the corpus.
MAX_TOKENS, NUM_RUNS = 1 << 23, 64
SCORED_TOKENS = 1 << 20


@dataclass(frozen=True)
class NgramModel:
    """p(token | context) for contexts of up to order - 1 tokens, never 0 and summing to 1 over the vocabulary.

    levels: of order 1, 2, ...; a model of a lower order is a part of it, because each level has the raw counts too.
    So a context cut short (the start of a block, a hidden neighbour) is answered by the model of just that order.
    """

    levels: tuple[Level, ...]
    start_id: int
    num_tokens: int

    @property
    def order(self) -> int:
        """The longest n-gram that was counted; less than asked for where no document is as long."""
        return len(self.levels)

    @classmethod
    def fit(
        cls, blocks: Array, vocab_size: int, start_id: int, order: int = ORDER, max_tokens: int = MAX_TOKENS
    ) -> NgramModel:
        """Estimate from consecutive token blocks, integers [num_blocks, block_length].

        start_id: the token that begins a document; no n-gram reaches back beyond it. Three discounts an order and
        interpolation: Chen & Goodman (1999), section 3; the lowest order is interpolated with 1 / vocab_size. Of more
        than max_tokens, so many are counted, in evenly spread runs of blocks.
        Raises InputError when there is no pair of tokens or a token id is not below vocab_size.
        """
        if blocks.ndim != 2 or blocks.shape[0] == 0 or blocks.shape[1] < 2:
            raise InputError(f"token blocks of shape {blocks.shape}: counting needs [num_blocks, block_length >= 2]")
        assert order >= 1, "an n-gram has a token"
        runs = list(_runs(blocks, max_tokens))
        tokens = np.concatenate(runs)
        if (highest := int(tokens.max())) >= vocab_size:
            raise InputError(f"token id {highest} in the blocks: ids must be below vocab_size {vocab_size}")
        starts = np.cumsum([0, *(len(run) for run in runs[:-1])])
        reach = reaches(tokens, starts, start_id, order - 1)
        return cls(tuple(count_levels(tokens, reach, vocab_size, order)), start_id, len(tokens))

    def probability(self, contexts: Array, tokens: Array) -> Floats:
        """p(token | context) of contexts [num, length], the nearest token last, and tokens [num]."""
        rows = np.hstack([contexts, tokens[:, None]]).astype(np.int64)
        return self._probabilities(rows, self.order).reshape(rows.shape)[:, -1]

    def causal_loss(self, blocks: Array, order: int | None = None, segments: Array | None = None) -> float:
        """Mean nats a token of predicting each piece's tokens from the second on, as a causal network does.

        segments: like blocks, which piece of its row a token belongs to, 0 for padding; without it a row is one piece.
        Raises InputError when no piece has two tokens.
        """
        step = max(1, SCORED_TOKENS // blocks.shape[1])
        total, num_scored = 0.0, 0
        for start in range(0, len(blocks), step):
            part = np.asarray(blocks[start : start + step]).astype(np.int64)
            pieces = np.ones_like(part) if segments is None else np.asarray(segments[start : start + step])
            follows = (pieces[:, 1:] == pieces[:, :-1]) & (pieces[:, 1:] > 0)
            values = self._probabilities(part, order or self.order, pieces).reshape(part.shape)[:, 1:]
            total -= float(np.log(values[follows]).sum())
            num_scored += int(follows.sum())
        if not num_scored:
            raise InputError(f"no piece of {len(blocks)} rows has two tokens: nothing to predict")
        return total / num_scored

    def masked_loss(
        self,
        blocks: Array,
        mask: Array,
        special_ids: Sequence[int] = (),
        absent_ids: Sequence[int] = (),
        order: int | None = None,
        segments: Array | None = None,
    ) -> float:
        """Mean nats a token hidden by `mask`, bool like `blocks`, given the tokens on both sides of it.

        The posterior is exact: the product of the probabilities of the token and of those after it whose context it is
        part of, over the sum of that product over the vocabulary. Both sides end at the next token that is hidden too
        or of absent_ids, at the end of the row or of its piece (`segments` as in causal_loss) and at the start of a
        document. Special ids are neither scored nor possible answers. Raises InputError when nothing is hidden.
        """
        if mask.shape != blocks.shape:
            raise InputError(f"a mask of shape {mask.shape} over blocks of shape {blocks.shape}: they must be equal")
        hidden = mask & ~np.isin(blocks, list(special_ids))
        if not hidden.any():
            raise InputError(f"the mask hides none of {blocks.size} tokens, special ones aside: hide at least one")
        visible = np.where(hidden | np.isin(blocks, list(absent_ids)), -1, blocks.astype(np.int64))
        order = order or self.order
        posterior = Posterior(self.levels[:order], list(special_ids))
        windows = Windows.around(visible, hidden, order - 1, self.start_id, segments)
        return float(posterior.losses(windows, blocks[hidden].astype(np.int64)).mean())

    def _probabilities(self, rows: Array, order: int, segments: Array | None = None) -> Floats:
        """Of each token of rows, int64 [num_rows, length], given those before it in its row and piece; flat."""
        tokens = rows.reshape(-1)
        begins = np.zeros(rows.shape, dtype=bool)
        begins[:, 0] = True
        if segments is not None:
            begins[:, 1:] |= segments[:, 1:] != segments[:, :-1]
        reach = reaches(tokens, np.flatnonzero(begins), self.start_id, order - 1)
        values = self.levels[0].given[np.where(reach == 0, RAW, LOWER), tokens]
        places = tokens
        for before, level in enumerate(self.levels[1:order], start=1):
            contexts = np.where(reach >= before, np.roll(places, 1), -1)
            places = level.find(contexts, tokens)
            values = level.refine(values, contexts, places, reach == before)
        return values


def _runs(blocks: Array, max_tokens: int) -> Iterator[Array]:
    """The tokens to count, int32, in runs of consecutive blocks: all in one run, or evenly spread ones."""
    num_blocks = min(len(blocks), max(1, max_tokens // blocks.shape[1]))
    num_runs = 1 if num_blocks == len(blocks) else min(NUM_RUNS, num_blocks)
    for run in range(num_runs):
        start = run * len(blocks) // num_runs
        stop = start + (num_blocks * (run + 1) // num_runs - num_blocks * run // num_runs)
        yield np.asarray(blocks[start:stop]).reshape(-1).astype(np.int32)
