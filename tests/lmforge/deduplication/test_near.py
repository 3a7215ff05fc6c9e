import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.deduplication.near import band_keys, bands_and_rows, near_duplicates
from lmforge.recipe.cleaning import Deduplication

# Another value would part stored keys from new ones.
GOLDEN_KEYS = ["d6d0f302a6b1d31d", "aa42e25f0efa3343", "f468765bbce76432"]
SETTINGS = Deduplication()


def keys_of(*texts, settings=SETTINGS):
    return band_keys(pl.Series(texts, dtype=pl.String), settings)


def numbers(*values):
    return " ".join(str(value) for value in values)


def kept_in_turn(bands, candidates):
    """The definition, one row after the other."""
    kept = list(range(len(bands)))
    for row in range(len(bands)):
        alike = [
            earlier
            for earlier in range(row)
            if candidates[row]
            and candidates[earlier]
            and kept[earlier] == earlier
            and (bands[earlier] == bands[row]).any()
        ]
        kept[row] = min(alike, default=row)
    return kept


# What datasketch 2.0 chooses.
@pytest.mark.parametrize(
    ("threshold", "num_permutations", "split"),
    [(0.8, 128, (9, 13)), (0.5, 128, (25, 5)), (0.7, 256, (25, 10)), (0.9, 64, (3, 21)), (0.4, 16, (6, 2))],
)
def test_bands_follow_the_threshold(threshold, num_permutations, split):
    assert bands_and_rows(threshold, num_permutations) == split


def test_there_are_two_bands_at_least():
    assert bands_and_rows(0.99, 16) == (2, 8)


def test_equal_texts_share_all_bands_and_other_texts_none():
    keys = keys_of(numbers(*range(50)), numbers(*range(100, 150)), numbers(*range(50)))
    assert keys.shape == (3, 9)
    assert (keys[0] == keys[2]).all()
    assert not (keys[0] == keys[1]).any()


def test_keys_are_the_same_for_ever():
    assert [f"{key:016x}" for key in keys_of("the quick brown fox jumps over the lazy dog")[0, :3]] == GOLDEN_KEYS


@given(st.lists(st.text("ab 字\n", max_size=30), max_size=6), st.integers(0, 6))
def test_keys_of_parts_are_parts_of_the_keys(texts, cut):
    parts = [keys_of(*texts[:cut]), keys_of(*texts[cut:])]
    assert np.array_equal(np.concatenate(parts), keys_of(*texts))


def test_keys_do_not_depend_on_where_blocks_end():
    texts = [numbers(*range(start, start + 40)) for start in range(2_500)]
    assert np.array_equal(
        keys_of(*texts)[[0, 999, 1_000, 2_499]], keys_of(*[texts[at] for at in (0, 999, 1_000, 2_499)])
    )


def test_a_short_text_is_one_shingle():
    keys = keys_of("one two three", "one two three", "one two four", "", "", None)
    assert near_duplicates(keys, np.ones(6, bool)).tolist() == [0, 0, 2, 3, 3, 3]


@pytest.mark.parametrize(("changed_words", "least", "most"), [(1, 0.95, 1.0), (10, 0.25, 0.6), (40, 0.0, 0.01)])
def test_pairs_are_found_as_often_as_the_curve_says(changed_words, least, most):
    """400 pairs of 100 single-word shingles with 1, 10 or 40 of them replaced: similarity 0.98, 0.82, 0.43."""
    draws = np.random.default_rng(3).integers(0, 10**12, (400, 140))
    texts = [numbers(*row[:100]) for row in draws] + [
        numbers(*row[changed_words : 100 + changed_words]) for row in draws
    ]
    keys = keys_of(*texts, settings=SETTINGS.model_copy(update={"shingle_words": 1}))
    share = (keys[:400] == keys[400:]).any(axis=1).mean()
    assert least <= share <= most


def test_longer_shingles_tell_shuffled_texts_apart():
    words = [f"word{number}" for number in range(60)]
    texts = [" ".join(words), " ".join(reversed(words))]
    as_set = keys_of(*texts, settings=SETTINGS.model_copy(update={"shingle_words": 1}))
    assert (as_set[0] == as_set[1]).all()
    assert not (keys_of(*texts)[0] == keys_of(*texts)[1]).any()


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3, st.booleans()), max_size=40))
def test_the_first_of_similar_texts_is_kept(rows):
    bands = np.array([row[:3] for row in rows], np.uint64).reshape(-1, 3)
    candidates = np.array([row[3] for row in rows], bool)
    assert near_duplicates(bands, candidates).tolist() == kept_in_turn(bands, candidates)


def test_many_rows_in_few_groups():
    bands = np.random.default_rng(0).integers(0, 4_000, (12_000, 4), dtype=np.uint64)
    kept = near_duplicates(bands, np.ones(12_000, bool))
    expected, seen = [], {}
    for row, keys in enumerate(bands.tolist()):
        earlier = [seen[item] for item in enumerate(keys) if item in seen]
        expected.append(min(earlier, default=row))
        if not earlier:
            seen.update(dict.fromkeys(enumerate(keys), row))
    assert kept.tolist() == expected
    assert (kept != np.arange(12_000)).sum() > 9_000


def test_what_is_like_a_dropped_text_only_is_kept():
    # 1 is like 0, and 2 is like 1: 2 stays, since 1 does not.
    assert near_duplicates(np.array([[7, 1], [7, 2], [8, 2]], np.uint64), np.ones(3, bool)).tolist() == [0, 0, 2]


def test_a_row_that_is_no_candidate_neither_drops_nor_is_dropped():
    bands = np.array([[7], [7], [7]], np.uint64)
    assert near_duplicates(bands, np.array([False, True, True])).tolist() == [0, 1, 1]
    assert near_duplicates(bands, np.array([True, False, True])).tolist() == [0, 1, 0]


def test_no_texts():
    assert near_duplicates(keys_of(), np.empty(0, bool)).tolist() == []
    assert near_duplicates(keys_of("a", "a"), np.zeros(2, bool)).tolist() == [0, 1]
