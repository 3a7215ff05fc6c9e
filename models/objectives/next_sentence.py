"""Next-sentence prediction beside masked language modelling (BERT: Devlin et al. 2019, section 3.1, task 2).

Half of the pairs have the second segment of another document of the batch, which a network learns to see by topic.
Later work found it of no use for most tasks (Liu et al. 2019, section 4.2); it is here to be compared with.
"""

from __future__ import annotations

import numpy as np

from models.objectives.segments import Pair, SegmentPairs


class NextSentence(SegmentPairs):
    """A batch of one document has no foreign segment to offer, so its pair stays whole."""

    def spoil(self, pairs: list[Pair], chosen: np.ndarray, rng: np.random.Generator) -> tuple[list[Pair], np.ndarray]:
        if len(pairs) == 1:
            return pairs, np.zeros(1, dtype=bool)
        # Another row than one's own, all others alike.
        others = (np.arange(len(pairs)) + rng.integers(1, len(pairs), len(pairs))) % len(pairs)
        # As long as what it replaces and from the same end of a window: nothing but its content tells it is foreign.
        spoilt = [
            (first, np.concatenate(pairs[other])[-len(second) :] if foreign else second)
            for (first, second), other, foreign in zip(pairs, others, chosen, strict=True)
        ]
        return spoilt, chosen
