"""Which characters a text is made of, counted a column at a time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np

NUM_CODE_POINTS = 0x110000
_DOCUMENTS_AT_ONCE = 500


def count_characters(texts: Iterable[str]) -> np.ndarray:
    """How often each code point stands in the texts, int64 [0x110000]."""
    counts = np.zeros(NUM_CODE_POINTS, dtype=np.int64)
    iterator = iter(texts)
    while batch := list(islice(iterator, _DOCUMENTS_AT_ONCE)):
        points = np.frombuffer("".join(batch).encode("utf-32-le"), dtype="<u4")
        counts += np.bincount(points, minlength=NUM_CODE_POINTS)
    return counts
