"""Matching: a row names the first row of the other set that shares a key in the same column."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lmforge.deduplication.matching import near_matches


def _keys(rows: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.uint64, (rows, 3), elements=st.integers(0, 4))


@given(st.integers(0, 8).flatmap(_keys), st.integers(0, 8).flatmap(_keys))
def test_it_equals_looking_at_every_pair(bands: np.ndarray, reference: np.ndarray) -> None:
    expected = [next((m for m, other in enumerate(reference) if (row == other).any()), -1) for row in bands]
    assert near_matches(bands, reference).tolist() == expected


def test_the_same_key_in_another_band_is_no_match() -> None:
    assert near_matches(np.array([[1, 2]], np.uint64), np.array([[2, 1]], np.uint64)).tolist() == [-1]
