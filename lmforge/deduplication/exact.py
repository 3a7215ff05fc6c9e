"""Texts that are the same after normalisation: which row is the first of each.

Keys are 128 bits of a text (`lmforge.text.normalizing`): equal keys are taken for equal texts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def first_of_each(keys: npt.NDArray[np.uint64]) -> Rows:
    """For each row of `keys` [n, 2] the number of the first row with the same key: itself where it is the first."""
    if not len(keys):
        return np.empty(0, np.int64)
    first = _first_by_half(np.ascontiguousarray(keys[:, 0]))
    # Half of the bits decide nearly always, and one 64-bit column is sorted several times faster than two.
    if np.array_equal(keys[:, 1], keys[first, 1]):
        return first
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    return _firsts(order, (keys[order[1:]] != keys[order[:-1]]).any(axis=1))


def _first_by_half(half: npt.NDArray[np.uint64]) -> Rows:
    order = np.argsort(half)
    return _firsts(order, half[order[1:]] != half[order[:-1]])


def _firsts(order: Rows, differs: npt.NDArray[np.bool_]) -> Rows:
    """The least row of each run of equal keys, for all rows; `differs` [n - 1] is where a run ends in `order`."""
    starts = np.append(0, np.flatnonzero(differs) + 1)
    first = np.empty(len(order), np.int64)
    # The sort is not stable, so the first of a run may stand anywhere in it.
    first[order] = np.repeat(np.minimum.reduceat(order, starts), np.diff(starts, append=len(order)))
    return first
