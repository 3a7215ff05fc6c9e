"""Counts, discounts and shares on streams small enough to do by hand."""

import numpy as np
import pytest

from lmforge.evaluation.ngram_counting import FALLBACK_DISCOUNTS, LOWER, RAW, count_levels, discounts, reaches

START, VOCAB = 0, 5


def levels_of(tokens, order, starts=(0,)):
    tokens = np.array(tokens, dtype=np.int32)
    reach = reaches(tokens, np.array(starts), START, order - 1)
    return list(count_levels(tokens, reach, VOCAB, order))


def spelled(levels, order):
    """The n-grams of an order as tuples, in the order of their places."""
    if order == 1:
        return [(token,) for token in range(VOCAB)]
    shorter = spelled(levels, order - 1)
    return [(*shorter[key // VOCAB], int(key % VOCAB)) for key in levels[order - 1].keys]


def test_a_context_ends_with_its_run_and_with_the_start_of_a_document():
    tokens = np.array([3, 1, START, 2, 4, 1, 1, 2], dtype=np.int32)
    assert reaches(tokens, np.array([0]), START, 9).tolist() == [0, 1, 2, 1, 2, 3, 4, 5]
    assert reaches(tokens, np.array([0, 5]), START, 9).tolist() == [0, 1, 2, 1, 2, 0, 1, 2]
    assert reaches(tokens, np.array([0, 3]), START, 1).tolist() == [0, 1, 1, 0, 1, 1, 1, 1]


def test_every_ngram_inside_a_document_is_there_once():
    levels = levels_of([START, 1, 2, 1, 2, START, 1, 2], 3)
    assert spelled(levels, 2) == [(0, 1), (1, 2), (2, 0), (2, 1)]
    assert spelled(levels, 3) == [(0, 1, 2), (1, 2, 0), (1, 2, 1), (2, 1, 2)]
    assert [sorted(level.keys.tolist()) == level.keys.tolist() for level in levels] == [True] * 3


def test_shares_are_the_published_formula_computed_by_hand():
    # Pairs: 1-2 three times, 1-3 once, 2-1 twice, 3-1 once; n1 = 2, n2 = 1, n3 = 1, n4 = 0, so Y = 2 / (2 + 2) = 1/2.
    pairs = [1, 2, 1, 2, 1, 2, 1, 3, 2, 1, 2, 1, 3, 1]
    levels = levels_of(pairs, 2, starts=range(0, len(pairs), 2))
    d1, d2, d3 = 1 - 2 * 0.5 * 1 / 2, 2 - 3 * 0.5 * 1 / 1, 3 - 0.0
    assert spelled(levels, 2) == [(1, 2), (1, 3), (2, 1), (3, 1)]
    np.testing.assert_allclose(levels[1].given[RAW], [(3 - d3) / 4, (1 - d1) / 4, (2 - d2) / 2, (1 - d1) / 1])
    np.testing.assert_allclose(levels[1].escape[RAW], [1, (d3 + d1) / 4, d2 / 2, d1, 1])
    # Different left neighbours: 1 has 2, 2 and 3 have 1; nothing has 3, so the fallback 0.5 and 1 holds.
    np.testing.assert_allclose(levels[0].given[LOWER], np.array([0, 1, 0.5, 0.5, 0]) / 4 + 2 / 4 / 5)


def test_an_ngram_that_nothing_comes_before_counts_as_often_as_it_occurs():
    levels = levels_of([START, 1, 2, START, 1, 3, START, 1, 4], 3)
    assert levels[1].given.shape[0] == 2
    assert spelled(levels, 2)[0] == (START, 1)
    counts = np.array([3, 1, 1, 1, 1, 1])  # 0-1 three times; 1-2, 1-3, 1-4, 2-0, 3-0
    taken = discounts(counts)[np.minimum(counts, 3)]
    assert levels[1].given[LOWER][0] == pytest.approx((3 - taken[0]) / 3)


def test_looking_up_finds_what_was_counted_and_nothing_else():
    levels = levels_of([START, 1, 2, 1, 2, 3, 4, 3], 3)
    seen = set(spelled(levels, 2))
    contexts, tokens = np.divmod(np.arange(VOCAB**2), VOCAB)
    places = levels[1].find(contexts, tokens)
    assert {(int(c), int(t)) for c, t, place in zip(contexts, tokens, places, strict=True) if place >= 0} == seen
    assert levels[1].find(np.array([-1, 1, 1]), np.array([2, -1, 2])).tolist() == [
        -1,
        -1,
        spelled(levels, 2).index((1, 2)),
    ]


def test_refining_by_an_unseen_context_changes_nothing():
    level = levels_of([START, 1, 2, 1, 2, 3], 2)[1]
    values = np.array([0.25, 0.25])
    found = level.refine(values, np.array([-1, 1]), np.array([-1, -1]), raw=True)
    assert found.tolist() == [0.25, pytest.approx(0.25 * level.escape[RAW][1])]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # n1 = 4, n2 = 2, n3 = 1, n4 = 1: Y = 1/2.
        ([1, 1, 1, 1, 2, 2, 3, 4], (1 - 2 * 0.5 * 2 / 4, 2 - 3 * 0.5 * 1 / 2, 3 - 4 * 0.5 * 1 / 1)),
        ([1, 1, 3, 3], FALLBACK_DISCOUNTS),
        # n3 = 9 of n2 = 1 would make the second negative.
        ([1, 2, *[3] * 9], FALLBACK_DISCOUNTS),
        ([], FALLBACK_DISCOUNTS),
    ],
)
def test_discounts(sizes, expected):
    np.testing.assert_allclose(discounts(np.array(sizes, dtype=np.int64)), [0.0, *expected])


def test_the_same_tokens_give_the_same_levels(stream):
    tokens = stream(3000).astype(np.int32)
    reach = reaches(tokens, np.array([0]), START, 4)
    first, again = (list(count_levels(tokens, reach, 30, 5)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one.keys.tobytes() == other.keys.tobytes()
        assert one.given.tobytes() == other.given.tobytes()
    assert [level.given.shape[0] for level in first] == [2, 2, 2, 2, 1], "nothing backs off to the highest order"
    assert {level.given.dtype for level in first[1:]} == {np.dtype("float32")}
