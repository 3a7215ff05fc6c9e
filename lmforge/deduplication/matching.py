"""Texts of one set that are near duplicates of a text in another set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lmforge.deduplication.words import Hashes


def near_matches(bands: Hashes, reference: Hashes) -> npt.NDArray[np.int64]:
    """For each row of `bands` [n, bands] the first row of `reference` [m, bands] that shares a band, else -1."""
    absent = len(reference)
    first = np.full(len(bands), absent, np.int64)
    for band in range(bands.shape[1]) if absent else ():
        # Stable, so that of equal keys the first row is found.
        order = np.argsort(reference[:, band], kind="stable")
        keys = reference[order, band]
        places = np.searchsorted(keys, bands[:, band])
        places[places == absent] = 0
        rows = np.where(keys[places] == bands[:, band], order[places], absent)
        first = np.minimum(first, rows)
    return np.where(first == absent, -1, first)
