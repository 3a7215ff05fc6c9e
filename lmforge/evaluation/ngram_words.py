"""Which words were seen between given tokens: the few for which an n-gram model says more than it does of all others.

A cell is a position times vocab_size plus a word, so that words of many positions are one flat array of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lmforge.evaluation.ngram_counting import Array, Level


class Windows(NamedTuple):
    """Tokens beside positions, int64 [num_positions, width], the nearest first; -1 where none is visible any more."""

    left: Array
    right: Array

    @classmethod
    def around(cls, visible: Array, at: Array, width: int, start_id: int, segments: Array | None = None) -> Windows:
        """Of the positions `at`, bool like `visible`, int64 [num_blocks, length] with -1 for what is not visible.

        A window ends at start_id, which it includes: nothing depends on a token beyond the start of a document. It also
        ends where `segments`, integers like `visible`, has another number than at its position.
        """
        edge = np.full((len(visible), width), -1)
        padded = np.hstack([edge, visible, edge])
        rows, columns = np.nonzero(at)
        pieces = np.zeros_like(padded) if segments is None else np.hstack([edge, segments, edge])
        own = pieces[rows, columns + width]
        sides = []
        for direction in (-1, 1):
            side = np.full((len(rows), width), -1)
            going = np.ones(len(rows), dtype=bool)
            for distance in range(width):
                places = columns + width + direction * (distance + 1)
                found = np.where(pieces[rows, places] == own, padded[rows, places], -1)
                side[going, distance] = found[going]
                going &= (found >= 0) & (found != start_id)
            sides.append(side)
        return cls(*sides)

    @property
    def reach(self) -> Array:
        """How many tokens to the left are visible, int64 [num_positions]."""
        return np.asarray((self.left >= 0).sum(axis=1))


class Words(NamedTuple):
    """Words seen at positions, each with its position, its cell and the place of the n-gram that it is in."""

    rows: Array
    cells: Array
    places: Array

    def where(self, kept: Array) -> Words:
        """Those that a mask, bool [num_words], selects."""
        return Words(self.rows[kept], self.cells[kept], self.places[kept])


def followers(level: Level, contexts: Array) -> Words:
    """The words that followed each position's context, given by its place; none for -1."""
    first = np.searchsorted(level.keys, contexts * level.vocab_size)
    rows, places = _ranges(first, np.searchsorted(level.keys, (contexts + 1) * level.vocab_size))
    return Words(rows, rows * level.vocab_size + level.keys[places] % level.vocab_size, places)


@dataclass(frozen=True)
class WordIndex:
    """The n-grams of a level by what stands around one of their tokens, the word.

    codes: int64, sorted: the other tokens as digits to the base vocab_size. words, places: int32, of each code.
    """

    codes: Array
    words: Array
    places: Array
    vocab_size: int

    @classmethod
    def of_pairs(cls, pairs: Level) -> WordIndex:
        """The first token of each pair, by the second."""
        return cls._sorted(pairs.keys % pairs.vocab_size, pairs.keys // pairs.vocab_size, pairs.vocab_size)

    @classmethod
    def of_triples(cls, pairs: Level, triples: Level, word: int) -> WordIndex:
        """The first (word 0) or second (word 1) token of each triple, by the two others."""
        size = pairs.vocab_size
        begins, last = np.divmod(triples.keys, size)
        first, second = np.divmod(pairs.keys[begins], size)
        outer, chosen = (second, first) if word == 0 else (first, second)
        return cls._sorted(outer * size + last, chosen, size)

    @classmethod
    def _sorted(cls, codes: Array, words: Array, vocab_size: int) -> WordIndex:
        order = np.argsort(codes, kind="stable")
        return cls(codes[order], words[order].astype(np.int32), order.astype(np.int32), vocab_size)

    def find(self, *tokens: Array) -> Words:
        """The words among the tokens of each position, int64 [num_positions] each; none where one of them is -1."""
        codes = tokens[0]
        for token in tokens[1:]:
            codes = np.where((codes < 0) | (token < 0), -1, codes * self.vocab_size + token)
        first = np.searchsorted(self.codes, codes)
        rows, at = _ranges(first, np.searchsorted(self.codes, codes, side="right"))
        return Words(rows, rows * self.vocab_size + self.words[at], self.places[at])


def _ranges(firsts: Array, ends: Array) -> tuple[Array, Array]:
    """Which range each number belongs to, and the numbers of all ranges one after another."""
    counts = ends - firsts
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.arange(len(rows)) + np.repeat(firsts - (np.cumsum(counts) - counts), counts)
