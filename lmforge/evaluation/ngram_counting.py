"""Counts of n-grams, and the shares of probability that modified Kneser-Ney makes of them, one order at a time.

An n-gram is known by its place among the sorted keys of its order. A key is the place of its first tokens, which are an
n-gram of the order below, times vocab_size, plus its last token: so a key of any order fits 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.floating[Any]]

# Discounts for corpora too small to estimate them: the published fallback of lmplz (KenLM).
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
# Rows of shares. The highest order has the raw one only, which the last row is in any case.
LOWER, RAW = 0, -1


@dataclass(frozen=True)
class Level:
    """The n-grams of one order: p(token | context) = given[n-gram] + escape[context] * p(token | shorter context).

    keys: int64 [num_ngrams], sorted. given: float [rows, num_ngrams]; escape: float [rows, num_contexts], 1 where
    nothing followed. Row RAW is for the order that answers, row LOWER for what a higher order backs off to.
    """

    keys: Array
    given: Floats
    escape: Floats
    vocab_size: int

    def find(self, contexts: Array, tokens: Array) -> Array:
        """Places of the n-grams of a context's place and a token, -1 for one never seen; -1 in either gives -1."""
        wanted = np.where((contexts < 0) | (tokens < 0), -1, contexts.astype(np.int64) * self.vocab_size + tokens)
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[places] == wanted, places, -1)

    def refine(self, values: Floats, contexts: Array, places: Array, raw: Array | bool) -> Floats:
        """From p(token | shorter context) to p(token | context). contexts, places: -1 for one never seen.

        raw: bool, whether this order is the one that answers.
        """
        row = np.where(raw, RAW, LOWER)
        kept = np.where(contexts < 0, 1.0, self.escape[row, contexts])
        return np.asarray(kept * values + np.where(places < 0, 0.0, self.given[row, places]))


def reaches(tokens: Array, starts: Array, start_id: int, longest: int) -> Array:
    """How many tokens before each are its context, int32 [num_tokens], at most `longest`.

    tokens: [num_tokens], runs one after another that begin at the positions `starts`. A context ends with the run, and
    with the token start_id, which begins a document and belongs to its context.
    """
    begins = np.zeros(len(tokens), dtype=np.int32)
    after = np.flatnonzero(tokens == start_id) + 1
    begins[after[after < len(tokens)]] = after[after < len(tokens)] - 1
    begins[starts] = starts
    np.maximum.accumulate(begins, out=begins)
    return np.asarray(np.minimum(np.arange(len(tokens), dtype=np.int32) - begins, longest))


def count_levels(tokens: Array, reach: Array, vocab_size: int, order: int) -> Iterator[Level]:
    """The levels of order 1, 2, ... of a stream of tokens, int32 [num_tokens]; fewer when nothing is as long.

    Below the highest order an n-gram counts as often as different tokens come before it (Kneser & Ney 1995); one that
    nothing comes before, because a document begins with it, as often as it occurs (Heafield et al. 2013, Scalable
    modified Kneser-Ney language model estimation).
    """
    level = _Counted(np.arange(vocab_size), np.bincount(tokens, minlength=vocab_size), tokens, tokens[:0])
    num_contexts = 1
    for length in range(2, order + 1):
        if not (reach >= length - 1).any():
            break
        higher = _extended(level.places, tokens, reach >= length - 1, vocab_size)
        different = np.bincount(higher.endings, minlength=len(level.keys)).astype(np.int32)
        counts = [np.where(different == 0, level.counts, different), level.counts]
        yield _level(level.keys, counts, num_contexts, vocab_size)
        num_contexts, level = len(level.keys), higher
    yield _level(level.keys, [level.counts], num_contexts, vocab_size)


class _Counted(NamedTuple):
    """The n-grams of an order.

    keys: sorted; counts: how often each occurs; places: of the one that ends with each token of the stream, -1 where
    there is none; endings: the place of each without its first token in the order below.
    """

    keys: Array
    counts: Array
    places: Array
    endings: Array


def _extended(places: Array, tokens: Array, long_enough: Array, vocab_size: int) -> _Counted:
    """From one order to the next. places: of the order below, at each token; long_enough: bool, where to count."""
    at = np.flatnonzero(long_enough).astype(np.int32)
    keys, counts, inverse = _distinct(places[at - 1].astype(np.int64) * vocab_size + tokens[at])
    endings = np.zeros(len(keys), dtype=np.int32)
    endings[inverse] = places[at]
    longer = np.full(len(tokens), -1, dtype=np.int32)
    longer[at] = inverse
    return _Counted(keys, counts, longer, endings)


def _distinct(values: Array) -> tuple[Array, Array, Array]:
    """Distinct values, sorted, how often each occurs, and which each value is; as np.unique, in half its memory."""
    order = np.argsort(values)
    values = values[order]
    new = np.concatenate([[True], values[1:] != values[:-1]])
    values, counts = values[new], np.diff(np.append(np.flatnonzero(new), len(order))).astype(np.int32)
    inverse = np.empty(len(order), dtype=np.int32)
    inverse[order] = np.cumsum(new, dtype=np.int32) - 1
    return values, counts, inverse


def _level(keys: Array, counts: list[Array], num_contexts: int, vocab_size: int) -> Level:
    if num_contexts == 1:
        given = np.stack([_unigram(one) for one in counts])
        return Level(keys, given, np.zeros((len(counts), 1)), vocab_size)
    # Half the memory: their seven digits are enough for a probability.
    given = np.empty((len(counts), len(keys)), dtype=np.float32)
    escape = np.empty((len(counts), num_contexts), dtype=np.float32)
    for row, one in enumerate(counts):
        given[row], escape[row] = _shares(one, (keys // vocab_size).astype(np.int32), num_contexts)
    return Level(keys, given, escape, vocab_size)


def _shares(counts: Array, contexts: Array, num_contexts: int) -> tuple[Array, Array]:
    """Discounted relative frequency of each n-gram, and what that leaves of each context."""
    taken = discounts(counts)[np.minimum(counts, 3)]
    totals = np.bincount(contexts, weights=counts, minlength=num_contexts)
    left = np.bincount(contexts, weights=taken, minlength=num_contexts)
    np.subtract(counts, taken, out=taken)
    taken /= totals[contexts]
    return taken, np.divide(left, totals, out=np.ones(num_contexts), where=totals > 0)


def _unigram(counts: Array) -> Array:
    """Counts to probabilities [vocab_size]: discounted, and what was taken spread evenly, so that none is 0."""
    given = (counts - discounts(counts)[np.minimum(counts, 3)]) / counts.sum()
    return np.asarray(given + (1.0 - given.sum()) / len(counts))


def discounts(counts: Array) -> Array:
    """What to take from a count of 0, 1, 2 and 3 or more: D_k = k - (k + 1) Y n_{k+1} / n_k, Y = n1 / (n1 + 2 n2).

    Chen & Goodman (1999), An empirical study of smoothing techniques for language modeling, section 3.
    """
    n1, n2, n3, n4 = (int(np.count_nonzero(counts == size)) for size in (1, 2, 3, 4))
    chosen = FALLBACK_DISCOUNTS
    # Without a count of some size the ratio is undefined; a negative discount would add probability to what was seen.
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        estimated = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        chosen = estimated if min(estimated) > 0 else chosen
    return np.array([0.0, *chosen])
