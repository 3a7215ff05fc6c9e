"""The distances equal those of scipy, and profiles that differ in one respect differ in one number."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from lmforge.monitoring.drift import divergence, drift, measures, stability_index, total_variation
from lmforge.text.profiling import profile

PAIRS = st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)), min_size=2, max_size=30).filter(
    lambda pairs: all(map(sum, zip(*pairs, strict=True)))
)


@given(PAIRS)
def test_divergence_is_the_square_of_scipys_distance(pairs):
    now, then = zip(*pairs, strict=True)
    assert divergence(now, then) == pytest.approx(jensenshannon(now, then, base=2) ** 2, abs=1e-9)
    assert 0 <= divergence(now, then) <= 1 + 1e-12
    assert divergence(now, then) == pytest.approx(divergence(then, now))


@given(PAIRS)
def test_stability_index_is_the_sum_of_both_relative_entropies(pairs):
    filled = np.array([pair for pair in pairs if any(pair)], dtype=float).T + 0.5
    one, other = filled / filled.sum(axis=1, keepdims=True)
    expected = (rel_entr(one, other) + rel_entr(other, one)).sum()
    assert stability_index(*zip(*pairs, strict=True)) == pytest.approx(expected, abs=1e-12)


@given(PAIRS)
def test_total_variation_is_half_the_l1_distance(pairs):
    now, then = (np.array(counts) for counts in zip(*pairs, strict=True))
    expected = np.linalg.norm(now / now.sum() - then / then.sum(), ord=1) / 2
    assert total_variation(now, then) == pytest.approx(expected, abs=1e-12)


def test_extremes_are_known():
    assert divergence([1, 0], [0, 1]) == total_variation([1, 0], [0, 1]) == 1.0
    assert divergence([3, 1], [6, 2]) == total_variation([3, 1], [6, 2]) == 0.0
    assert stability_index([5, 0, 5], [5, 0, 5]) == 0.0
    # Siddiqi's table: a fifth of the rows moves from one of two bins to the other.
    assert stability_index([7_000_000, 3_000_000], [5_000_000, 5_000_000]) == pytest.approx(
        0.2 * math.log(7 / 3), rel=1e-5
    )
    assert math.isnan(stability_index([0, 0], [1, 1]))
    assert math.isnan(total_variation([0], [1]))


def table(num_rows: int = 400, *, words: int = 12, word: str = "word", label: str = "a") -> pl.LazyFrame:
    numbers = range(num_rows)
    return pl.LazyFrame(
        {
            "text": [" ".join(f"{word}{(number + place) % 40}" for place in range(words)) for number in numbers],
            "label": [label if number % 2 else "b" for number in numbers],
            "language": ["en"] * num_rows,
        }
    )


@pytest.mark.parametrize(
    ("changed", "drifted"),
    [
        (table(), set()),
        (table(800), set()),
        (table(words=40), {"length_drift"}),
        (table(word="mot"), {"vocabulary_drift"}),
        (table(label="c"), {"label_drift"}),
        (table().with_columns(language=pl.lit("fr")), {"language_drift"}),
        (table().with_columns(language=pl.lit(None, dtype=pl.String)), {"language_drift"}),
    ],
)
def test_a_change_moves_its_own_number(changed, drifted):
    found = drift(profile(changed), profile(table()))
    assert found.keys() == {"length_drift", "vocabulary_drift", "label_drift", "language_drift"}
    assert {name for name, value in found.items() if value > 0.1} == drifted


def test_a_profile_does_not_differ_from_itself_after_json(tmp_path):
    from lmforge.text.profiling import read_profile, write_profile

    described = write_profile(table(), tmp_path)
    assert set(drift(described, read_profile(tmp_path)).values()) == {0.0}


def test_only_what_both_profiles_hold_is_compared():
    assert drift(profile(table().select("text")), profile(table())).keys() == {"length_drift", "vocabulary_drift"}
    assert drift(profile(table().select("label")), profile(table())).keys() == {"label_drift"}
    assert drift(profile(table()), profile(table()) | {"format": 0}) == {}


def test_numbers_of_one_profile():
    assert measures(profile(table())) == {"num_words": 4_800, "repetitive_share": 0.0}
    answers = pl.LazyFrame({"predicted": ["a", "a", "a", "b"], "gold": ["a", "b", "b", "b"]})
    assert measures(profile(answers)) == {"label_shift": 0.5}
