"""The comparison as a statistical instrument: null, planted effect, ties, and agreement with resampling by hand."""

import time

import numpy as np
import pytest
from scipy import stats

from lmforge.errors import InputError
from lmforge.evaluation.intervals import bootstrap_interval, paired_bootstrap
from lmforge.evaluation.metrics import metric_of


def answers(generator, gold, accuracy, num_labels):
    wrong = (gold + generator.integers(1, num_labels, len(gold))) % num_labels
    return np.where(generator.random(len(gold)) < accuracy, gold, wrong)


def compare(seed, accuracies, *, num_labels=3, size=300, metric="accuracy", resamples=1000, alpha=0.05):
    generator = np.random.default_rng(seed)
    gold = generator.integers(0, num_labels, size)
    one, other = (answers(generator, gold, accuracy, num_labels) for accuracy in accuracies)
    return paired_bootstrap(gold, one, other, num_labels, metric, resamples=resamples, alpha=alpha, seed=seed)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_equal_models_are_declared_better_about_as_often_as_alpha(metric):
    declared = sum(compare(seed, (0.8, 0.8), metric=metric).lower_bound > 0 for seed in range(200))
    # 10 of 200 expected; 20 or more would have probability 0.003 at the nominal rate.
    assert 1 <= declared <= 20


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_a_planted_gain_is_detected(metric):
    found = compare(1, (0.88, 0.75), size=1000, metric=metric, alpha=0.01)
    assert found.lower_bound > 0
    assert found.p_value < 0.01
    assert found.gain > found.smallest_visible_gain
    assert found.interval.low < found.gain < found.interval.high


def test_power_at_the_smallest_visible_gain_is_about_one_half():
    gain = compare(0, (0.8, 0.8), resamples=2000).smallest_visible_gain
    declared = sum(compare(seed, (0.8 + gain, 0.8)).lower_bound > 0 for seed in range(200))
    assert 70 <= declared <= 140


def test_models_that_answer_alike_are_not_better():
    gold, same = np.array([0, 1, 2, 1] * 25), np.array([0, 1, 1, 1] * 25)
    found = paired_bootstrap(gold, same, same, 3, "macro_f1", resamples=1000, alpha=0.05, seed=0)
    assert (found.gain, found.lower_bound, found.interval.high) == (0.0, 0.0, 0.0)
    assert found.p_value == found.mcnemar_p == 1.0
    assert found.smallest_visible_gain == pytest.approx(0.03)


@pytest.mark.parametrize(("changed", "visible"), [(4, False), (7, True)])
def test_resolution_of_the_set_is_what_can_be_declared(changed, visible):
    gold = np.zeros(500, dtype=np.int64)
    champion = gold.copy()
    champion[:changed] = 1
    found = paired_bootstrap(gold, gold, champion, 2, "accuracy", resamples=20_000, alpha=0.01, seed=3)
    assert (found.lower_bound > 0) is visible
    assert found.smallest_visible_gain >= 5 / 500


def test_cells_agree_with_resampling_examples():
    generator = np.random.default_rng(5)
    gold = generator.integers(0, 4, 250)
    one, other = answers(generator, gold, 0.85, 4), answers(generator, gold, 0.75, 4)
    score = metric_of("macro_f1")
    draws = generator.integers(0, 250, (3000, 250))
    naive = np.array([score(gold[d], one[d], 4) - score(gold[d], other[d], 4) for d in draws])
    found = paired_bootstrap(gold, one, other, 4, "macro_f1", resamples=3000, alpha=0.05, seed=6)
    error = 4 * naive.std() / np.sqrt(3000)
    assert found.lower_bound == pytest.approx(np.quantile(naive, 0.05), abs=3 * error)
    assert found.interval.high == pytest.approx(np.quantile(naive, 0.975), abs=3 * error)


def test_seed_decides():
    first, again, other = (compare(3, (0.8, 0.8)), compare(3, (0.8, 0.8)), compare(4, (0.8, 0.8)))
    assert first == again
    assert first != other
    assert type(first).model_validate_json(first.model_dump_json()) == first


def test_mcnemar_is_the_exact_binomial_test():
    gold = np.zeros(30, dtype=np.int64)
    one, other = gold.copy(), gold.copy()
    one[:3], other[3:14] = 1, 1
    found = paired_bootstrap(gold, one, other, 2, "accuracy", resamples=1000, alpha=0.05, seed=0)
    assert found.mcnemar_p == pytest.approx(2 * stats.binom.cdf(3, 14, 0.5))


def test_interval_of_accuracy_is_near_the_normal_one():
    gold = np.zeros(1000, dtype=np.int64)
    predicted = (np.arange(1000) < 200).astype(np.int64)
    found = bootstrap_interval(gold, predicted, 2, "accuracy", resamples=5000, seed=1)
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert found.value == 0.8
    assert (found.low, found.high) == pytest.approx((0.8 - half, 0.8 + half), abs=0.003)


@pytest.mark.parametrize("confidence", [0.5, 0.9])
def test_wider_confidence_is_a_wider_interval(confidence):
    generator = np.random.default_rng(0)
    gold = generator.integers(0, 3, 200)
    predicted = answers(generator, gold, 0.7, 3)
    wide = bootstrap_interval(gold, predicted, 3, "macro_f1", resamples=1000, seed=1, confidence=0.99)
    narrow = bootstrap_interval(gold, predicted, 3, "macro_f1", resamples=1000, seed=1, confidence=confidence)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_lengths_must_match():
    with pytest.raises(InputError, match="2 gold labels and 1 predictions"):
        bootstrap_interval(np.array([0, 1]), np.array([0]), 2, "accuracy", resamples=1000, seed=0)


def test_ten_thousand_resamples_of_two_thousand_examples_take_seconds_at_most():
    start = time.perf_counter()
    found = compare(0, (0.7, 0.7), num_labels=20, size=2000, metric="macro_f1", resamples=10_000)
    assert found.resamples == 10_000
    assert time.perf_counter() - start < 5
