"""Batches as a pure function of (seed, step), so that resuming anywhere is a matter of starting to count there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
from torch.utils.data import IterableDataset

from lmforge.training.rows import Rows
from models.objectives import Batch, Objective

# Rows that cannot go through the network in parts pad little in batches from such pools, and mix less.
POOL_BATCHES = 50
# With a token budget, rows are batched with others whose length is the same when rounded up to a multiple of this.
LENGTH_STEP = 8
VALIDATION_SEED = 0


def epoch_batches(
    rows: Rows, batch_size: int, seed: int, epoch: int, max_tokens: int | None = None, pool_batches: int = POOL_BATCHES
) -> list[np.ndarray]:
    """Row indices of each batch of an epoch. Rows of unequal length come sorted by it, in pools of so many batches.

    pool_batches: with 1 a batch is a random draw; with more its rows are about as long as each other. max_tokens: of a
    batch, padding included; sizes then count for nothing, and a longer row is a batch of its own. Every row comes once
    an epoch, but for an incomplete last batch of equal-length rows; every epoch has as many batches.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(rows))
    if rows.lengths is not None and max_tokens is not None:
        cut = _within(order, rows.lengths, max_tokens)
        return [cut[number] for number in rng.permutation(len(cut))]
    if rows.lengths is None:
        whole = max(1, len(rows) // batch_size)
        return [order[number * batch_size : (number + 1) * batch_size] for number in range(whole)]
    batches: list[np.ndarray] = []
    for start in range(0, len(order), batch_size * pool_batches):
        pool = order[start : start + batch_size * pool_batches]
        pool = pool[np.argsort(rows.lengths[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [batches[number] for number in rng.permutation(len(batches))]


def _within(order: np.ndarray, lengths: np.ndarray, max_tokens: int) -> list[np.ndarray]:
    """Batches of rows of like length in the given order, each of at most `max_tokens` tokens or of one row.

    Where batches are cut depends on all lengths and not on the order, so that there are as many in any order.
    """
    rounded = np.minimum(-(-lengths // LENGTH_STEP) * LENGTH_STEP, lengths.max())
    order = order[np.argsort(rounded[order], kind="stable")]
    rounded, cuts = rounded[order], [0]
    while cuts[-1] < len(order):
        start = cuts[-1]
        # The longest row is the last one: as long as one more still fits, ever longer ones are looked at.
        stop = min(start + max(1, max_tokens // int(rounded[start])), len(order))
        fits = rounded[start:stop] * np.arange(1, stop - start + 1) <= max_tokens
        cuts.append(start + max(1, int(fits.sum())))
    return np.split(order, cuts[1:-1])


class TrainingBatches(IterableDataset[Batch]):
    """The batches of the steps from `start_step` to `max_steps`, as one epoch without a length.

    `start_step` is given and not set later: Lightning fetches the first batch before any hook of a callback runs.
    """

    def __init__(
        self,
        rows: Rows,
        objective: Objective,
        *,
        batch_size: int,
        max_steps: int,
        seed: int,
        start_step: int = 0,
        max_tokens: int | None = None,
        pool_batches: int = POOL_BATCHES,
    ) -> None:
        self.rows, self.objective = rows, objective
        self.max_steps, self.seed, self.start_step = max_steps, seed, start_step
        self.per_epoch = len(epoch_batches(rows, batch_size, seed, 0, max_tokens, pool_batches))
        self._epoch: Callable[[int], list[np.ndarray]] = lru_cache(maxsize=1)(
            lambda epoch: epoch_batches(rows, batch_size, seed, epoch, max_tokens, pool_batches)
        )

    @property
    def same_shapes(self) -> bool:
        """Whether all batches have one shape."""
        return self.rows.lengths is None

    def __iter__(self) -> Iterator[Batch]:
        return (self.batch(step) for step in range(self.start_step, self.max_steps))

    def batch(self, step: int) -> Batch:
        """The batch of one step."""
        return self.objective.collate(self.rows.take(self.indices(step)), np.random.default_rng([self.seed, step]))

    def indices(self, step: int) -> np.ndarray:
        """The rows of the training data that the batch of one step is made of."""
        epoch, number = divmod(step, self.per_epoch)
        return self._epoch(epoch)[number]


class ValidationBatches(IterableDataset[Batch]):
    """The same batches at every validation, masks included; `max_tokens` as in training."""

    def __init__(self, rows: Rows, objective: Objective, batch_size: int, max_tokens: int | None = None) -> None:
        self.rows, self.objective, self.batch_size, self.max_tokens = rows, objective, batch_size, max_tokens

    def __iter__(self) -> Iterator[Batch]:
        for number, indices in enumerate(self._batches()):
            rows = self.rows.take(indices)
            yield self.objective.collate(rows, np.random.default_rng([VALIDATION_SEED, number]))

    def _batches(self) -> list[np.ndarray]:
        order = np.arange(len(self.rows))
        if self.rows.lengths is not None and self.max_tokens is not None:
            return _within(order, self.rows.lengths, self.max_tokens)
        if self.rows.lengths is not None:
            order = np.argsort(self.rows.lengths, kind="stable")
        return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
