import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.deduplication.exact import first_of_each

HALF = st.integers(0, 2) | st.just(2**64 - 1)


def by_dictionary(pairs):
    first = {}
    return [first.setdefault(pair, row) for row, pair in enumerate(pairs)]


@given(st.lists(st.tuples(HALF, HALF)))
def test_the_first_row_of_each_key_is_found(pairs):
    # Many of these agree in one half only, which a sort of one half alone would take for equal.
    keys = np.array(pairs, np.uint64).reshape(-1, 2)
    assert first_of_each(keys).tolist() == by_dictionary(pairs)


def test_many_keys():
    keys = np.random.default_rng(0).integers(0, 2**64, (3_000, 2), dtype=np.uint64)[
        np.random.default_rng(1).integers(0, 3_000, 20_000)
    ]
    assert first_of_each(keys).tolist() == by_dictionary(map(tuple, keys.tolist()))


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_the_layout_in_memory_does_not_matter(layout):
    keys = np.array([[5, 1], [4, 1], [5, 1]], np.uint64)
    assert first_of_each(layout(keys)).tolist() == [0, 1, 0]
