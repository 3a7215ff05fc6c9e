"""Sentence-order prediction beside masked language modelling (ALBERT: Lan et al. 2020, section 3.1).

Half of the pairs are swapped. Both segments have the same topic, so that only coherence tells which comes first.
"""

from __future__ import annotations

import numpy as np

from models.objectives.segments import Pair, SegmentPairs


class SentenceOrder(SegmentPairs):
    """The classes are 0, in order, and 1, swapped."""

    def spoil(self, pairs: list[Pair], chosen: np.ndarray, rng: np.random.Generator) -> tuple[list[Pair], np.ndarray]:
        swapped = [
            (second, first) if swap else (first, second) for (first, second), swap in zip(pairs, chosen, strict=True)
        ]
        return swapped, chosen
