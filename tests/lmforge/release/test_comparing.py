"""Gains: equal to the scores of the evaluation, and with the spread that theory expects."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from lmforge.evaluation.intervals import paired_bootstrap
from lmforge.evaluation.metrics import classification_metrics, label_ids
from lmforge.release.comparing import compare, discordant, exchange_p_value, standard_error, value_of

LABELS = ("ham", "spam", "toad")


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_values_are_those_of_the_evaluation(examples, metric):
    frame = examples(gain=0.1)
    for side in ("challenger", "champion"):
        expected = classification_metrics(frame["gold"].to_list(), frame[side].to_list(), LABELS)[metric]
        assert value_of(frame, metric, LABELS, side) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_the_comparison_agrees_with_that_of_label_counts(examples, policy, metric):
    frame = examples(gain=0.05)
    found = compare(frame, metric, LABELS, policy(resamples=4000), seed=3)
    ids = [label_ids(frame[name].to_list(), LABELS) for name in ("gold", "challenger", "champion")]
    other = paired_bootstrap(*ids, 3, metric, resamples=4000, alpha=0.01, seed=4)
    assert found.gain == pytest.approx(other.gain)
    assert found.mcnemar_p == pytest.approx(other.mcnemar_p)
    assert found.lower_bound == pytest.approx(other.lower_bound, abs=0.01)
    assert found.interval.high == pytest.approx(other.interval.high, abs=0.01)


def test_ratios_of_sums_have_the_error_of_theory(policy, examples):
    generator = np.random.default_rng(0)
    frame = examples(num_examples=2000)
    differences = generator.normal(0.02, 0.5, size=2000)
    frame = frame.with_columns(
        challenger_score=pl.col("champion_score") + pl.Series(differences), champion_score=pl.col("champion_score")
    )
    found = compare(frame, "chrf", (), policy(), seed=1)
    assert found.gain == pytest.approx(differences.mean())
    assert standard_error(found) == pytest.approx(differences.std() / 2000**0.5, rel=0.1)
    assert found.mcnemar_p is None


def test_alike_models_have_no_gain_and_no_bound_above_0(examples, policy):
    frame = examples().with_columns(champion=pl.col("challenger"), champion_score=pl.col("challenger_score"))
    found = compare(frame, "macro_f1", LABELS, policy(), seed=1)
    assert (found.gain, found.lower_bound, found.p_value, found.mcnemar_p) == (0.0, 0.0, 1.0, 1.0)
    assert found.smallest_visible_gain > 0


def test_sentences_of_a_document_are_drawn_together(examples, policy):
    whole = examples(num_examples=200, gain=0.05)
    copies = [whole.with_columns(id=pl.format("{}-{}", "id", pl.lit(at))) for at in range(5)]
    repeated = pl.concat(copies).sort("id")
    alone = compare(whole, "macro_f1", LABELS, policy(), seed=1)
    together = compare(repeated, "macro_f1", LABELS, policy(), seed=1)
    assert together.gain == pytest.approx(alone.gain)
    assert standard_error(together) == pytest.approx(standard_error(alone), rel=0.1)
    assert discordant(repeated) is None


def test_only_right_or_wrong_is_counted(examples):
    frame = examples()
    gained, lost = discordant(frame)
    assert gained - lost == frame["challenger_score"].sum() - frame["champion_score"].sum()
    assert discordant(frame.with_columns(champion_weight=pl.lit(2.0))) is None
    assert discordant(frame.with_columns(champion_score=pl.lit(0.5))) is None


@pytest.mark.parametrize("gain", [0.05, 0.0, -0.05])
def test_exchanging_answers_of_right_and_wrong_is_the_exact_test(examples, gain):
    frame = examples(gain=gain)
    gained, lost = discordant(frame)
    expected = stats.binomtest(gained, gained + lost, alternative="greater").pvalue
    assert exchange_p_value(frame, "accuracy", LABELS, 20_000, seed=1) == pytest.approx(expected, abs=0.02)


def test_alike_models_are_never_better_by_exchange(examples):
    frame = examples().with_columns(champion=pl.col("challenger"))
    assert exchange_p_value(frame, "macro_f1", LABELS, 1000, seed=1) == 1.0


def test_the_seed_decides(examples, policy):
    frame = examples(gain=0.03)
    one, again, other = (compare(frame, "accuracy", LABELS, policy(), seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.interval != other.interval
