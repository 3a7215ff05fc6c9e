"""Resampling: sums keep their size and spread, whichever way the draws are made, and groups stay whole."""

import numpy as np
import polars as pl
import pytest

from lmforge.release.resampling import exchanged, lower_bound, p_value, resampled, sum_by_group


def identity(sums):
    return sums


@pytest.mark.parametrize("values", [np.arange(200.0), np.arange(200.0) % 3, np.arange(200.0) // 2])
def test_draws_are_as_many_as_units_with_the_spread_of_theory(values):
    units = np.stack([np.ones(200), values], axis=1)
    sums = resampled(units, identity, resamples=4000, seed=1)
    assert sums.shape == (4000, 2)
    assert (sums[:, 0] == 200).all()
    assert sums[:, 1].mean() == pytest.approx(values.sum(), rel=0.01)
    assert sums[:, 1].std() == pytest.approx(values.std() * 200**0.5, rel=0.05)


def test_chunks_of_many_units_are_joined():
    units = np.random.default_rng(0).random((6000, 1))
    sums = resampled(units, identity, resamples=1000, seed=1)
    assert sums.shape == (1000, 1)
    assert len(np.unique(sums)) == 1000
    assert sums.std() == pytest.approx(units.std() * 6000**0.5, rel=0.1)


def test_the_seed_decides():
    units = np.arange(50.0)[:, None]
    one, again, other = (resampled(units, identity, resamples=10, seed=seed) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_groups_are_summed_in_any_order():
    groups = pl.Series(["b", "a", "b", "c"])
    assert sum_by_group(np.array([[1.0], [2.0], [4.0], [8.0]]), groups).tolist() == [[2.0], [5.0], [8.0]]
    alone = np.array([[1.0], [2.0]])
    assert sum_by_group(alone, pl.Series(["b", "a"])) is alone


def test_exchanges_keep_the_sum_of_both_models():
    units = np.random.default_rng(0).integers(5, size=(300, 2)).astype(float)
    sums = exchanged(units, units[:, ::-1], identity, resamples=2000, seed=1)
    assert (sums.sum(axis=1) == units.sum()).all()
    differences = units[:, 0] - units[:, 1]
    gains = sums[:, 0] - sums[:, 1]
    assert gains.mean() == pytest.approx(0.0, abs=3)
    assert gains.std() == pytest.approx(np.sqrt(np.square(differences).sum()), rel=0.06)


def test_bounds_and_p_values_do_not_favour_ties():
    values = np.array([0.0, 0.0, 0.0, 1.0, 2.0])
    assert lower_bound(values, 0.3) == 0.0
    assert p_value(values, 0.0) == pytest.approx(4 / 6)
    assert p_value(values + 1, 0.0) == pytest.approx(1 / 6)
