"""What an n-gram model says of a hidden token between visible ones.

The token stands at the end of one n-gram and inside the context of the next few. Each of these factors is a number for
every word of the vocabulary, but differs from its backed-off value only for the words that were seen there: those are
enumerated (`Words`), and only the factors of the nearest tokens are computed for the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmforge.evaluation.ngram_counting import LOWER, RAW, Array, Floats, Level
from lmforge.evaluation.ngram_words import Windows, WordIndex, Words, followers

# Float64 values of one array, positions times vocabulary; a handful of such arrays live at a time.
CHUNK_VALUES = 1 << 21


class Posterior:
    """p(word | visible tokens) of the levels of order 1, 2, ..., without the words of special_ids."""

    def __init__(self, levels: Sequence[Level], special_ids: list[int]) -> None:
        self.levels, self.special_ids = levels, special_ids
        self.order, self.vocab_size = len(levels), levels[0].vocab_size
        # Enumerating words where they are many; elsewhere the words of the step before are looked up.
        self.indexes: dict[tuple[int, int], WordIndex] = {}
        if self.order >= 2:
            self.indexes[0, 1] = WordIndex.of_pairs(levels[1])
        if self.order >= 3:
            self.indexes[1, 1] = WordIndex.of_triples(levels[1], levels[2], word=1)
            self.indexes[0, 2] = WordIndex.of_triples(levels[1], levels[2], word=0)

    def losses(self, windows: Windows, targets: Array) -> Floats:
        """Nats of the true tokens, int64 [num_positions], in their windows of width order - 1."""
        step = max(1, CHUNK_VALUES // self.vocab_size)
        losses = np.zeros(len(targets))
        for start in range(0, len(targets), step):
            part = slice(start, start + step)
            joint = self._joint(Windows(windows.left[part], windows.right[part]))
            joint[:, self.special_ids] = 0.0
            true = joint[np.arange(len(joint)), targets[part]]
            losses[part] = np.log(joint.sum(axis=1)) - np.log(true)
        return losses

    def _joint(self, windows: Windows) -> Floats:
        """p(word, tokens on the right | tokens on the left) up to a factor, float64 [num_positions, vocab_size]."""
        joint, words = self._from_the_left(windows)
        ends: list[Array] = []
        for distance in range(1, self.order):
            backed_off, ends = self._backed_off(windows.right[:, distance - 1], ends)
            multiply = self._times_next if distance == 1 else self._times_further
            words = multiply(joint, words, backed_off, windows, distance)
        return joint

    def _from_the_left(self, windows: Windows) -> tuple[Floats, list[Words]]:
        """p(word | left), and the words that followed the nearest 1, 2, ... tokens."""
        scale, words, shares = np.ones(len(windows.left)), [], []
        for length in range(self.order - 1, 0, -1):
            level, contexts = self.levels[length], self._places(windows.left, length)
            raw = self._row(windows, length, length + 1)
            words.append(followers(level, contexts))
            rows = words[-1].rows
            shares.append(scale[rows] * level.given[raw[rows], words[-1].places])
            scale = scale * np.where(contexts < 0, 1.0, level.escape[raw, contexts])
        joint = scale[:, None] * self.levels[0].given[self._row(windows, 0, 1)]
        for one, share in zip(words, shares, strict=True):
            joint.reshape(-1)[one.cells] += share
        return joint, words[::-1]

    def _times_next(
        self, joint: Floats, words: list[Words], backed_off: Floats, windows: Windows, distance: int
    ) -> list[Words]:
        """Multiply `joint` by p(next token | tokens before it, the last of which is the word).

        words: those that followed the nearest 1, 2, ... tokens. Returns those seen between the nearest 0, 1, ... tokens
        and the next. backed_off: p(next token).
        """
        token, raw = windows.right[:, 0], self._row(windows, 0, 2)
        factor = self.levels[1].escape[raw] * backed_off[:, None]
        factor[token < 0] = 1.0
        found = self.indexes[0, 1].find(token)
        factor.reshape(-1)[found.cells] += self.levels[1].given[raw[found.rows], found.places]
        longer = enumerate(words[: self.order - 2], start=1)
        seen = [found, *(self._refine(factor.reshape(-1), one, before, distance, windows) for before, one in longer)]
        joint *= factor
        return seen

    def _times_further(
        self, joint: Floats, words: list[Words], backed_off: Floats, windows: Windows, distance: int
    ) -> list[Words]:
        """Multiply `joint` by p(token at `distance` to the right | tokens before it), up to a factor a position.

        words: those seen between the nearest 0, 1, ... tokens and those up to `distance` - 1. Returns the same, up to
        `distance`. backed_off: p(token | only the tokens between), which is what any other word gives.
        """
        factor, rows = np.empty(joint.size), words[0].rows
        factor[words[0].cells] = backed_off[rows]
        used = enumerate(words[: self.order - distance])
        seen = [self._refine(factor, one, before, distance, windows) for before, one in used]
        joint.reshape(-1)[words[0].cells] *= factor[words[0].cells] / backed_off[rows]
        return seen

    def _refine(self, factor: Floats, words: Words, before: int, distance: int, windows: Windows) -> Words:
        """From p(token | shorter context) to p(token | context) in the cells of `words`; returns those seen with it.

        The context has `before` tokens before the word, and the token is `distance` tokens after it.
        """
        token, level = windows.right[:, distance - 1], self.levels[before + distance]
        raw = self._row(windows, before, before + distance + 1)
        words = words.where(token[words.rows] >= 0)
        factor[words.cells] *= level.escape[raw[words.rows], words.places]
        if index := self.indexes.get((before, distance)):
            found = index.find(windows.left[:, 0] if before else windows.right[:, 0], token)
        else:
            places = level.find(words.places, token[words.rows])
            found = words._replace(places=places).where(places >= 0)
        factor[found.cells] += level.given[raw[found.rows], found.places]
        return found

    def _backed_off(self, token: Array, ends: list[Array]) -> tuple[Floats, list[Array]]:
        """p(token | tokens between it and the word), and the places of the n-grams that end with it, shortest first.

        ends: the same places for the token before it.
        """
        values = self.levels[0].given[LOWER, token]
        found = [token]
        for level, context in zip(self.levels[1:], ends, strict=False):
            found.append(level.find(context, token))
            values = level.refine(values, context, found[-1], False)
        return values, found

    def _places(self, left: Array, length: int) -> Array:
        """Places of the nearest `length` tokens, -1 where they are not visible or were never seen."""
        places = left[:, length - 1]
        for level in range(1, length):
            places = self.levels[level].find(places, left[:, length - 1 - level])
        return places

    def _row(self, windows: Windows, before: int, order: int) -> Array:
        """Which row of shares answers with `before` tokens before the word: the raw one where no more can be used."""
        return np.where((windows.reach == before) | (order == self.order), RAW, LOWER)
