"""Characters are counted as a loop over them would."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.tokenization.characters import NUM_CODE_POINTS, count_characters


@given(st.lists(st.text(), max_size=20))
@settings(max_examples=25)
def test_counts_are_those_of_a_loop(texts):
    counts = count_characters(texts)
    assert counts.shape == (NUM_CODE_POINTS,)
    found = {chr(point): int(counts[point]) for point in np.flatnonzero(counts)}
    assert found == Counter("".join(texts))


def test_more_texts_than_are_joined_at_once():
    counts = count_characters("ab\U0010ffff" for _ in range(1_234))
    assert {point: int(counts[point]) for point in np.flatnonzero(counts)} == dict.fromkeys((97, 98, 0x10FFFF), 1_234)
