"""Superiority, the exact test of McNemar, sacreBLEU's paired bootstrap, and non-inferiority with a margin."""

import polars as pl
import pytest
from scipy import stats

from lmforge.release.comparing import compare, discordant
from lmforge.release.rules.superiority import judge_superiority
from tests.instrument import translated

LABELS = ("ham", "spam", "toad")


def judged(facts, frame):
    return judge_superiority(facts, frame, compare(frame, facts.metric, LABELS, facts.policy, facts.seed))


def test_the_first_version_has_nothing_to_beat(facts, examples):
    (row,) = judge_superiority(facts(champion=False), examples(champion=False), None)
    assert (row.name, row.passed, row.judged) == ("superiority", True, False)


@pytest.mark.parametrize(("gain", "passed"), [(0.15, True), (0.0, False), (-0.1, False)])
def test_only_a_measurable_gain_passes(facts, examples, gain, passed):
    rows = judged(facts(), examples(gain=gain, num_examples=1000))
    assert [(row.name, row.passed) for row in rows] == [("superiority", passed), ("mcnemar", passed)]


def test_minimum_gain_is_the_limit_of_the_bound(facts, examples, policy):
    (row, _) = judged(facts(policy=policy(minimum_gain=0.14)), examples(gain=0.15, num_examples=1000))
    assert (row.passed, row.limit) == (False, 0.14)
    assert row.observed < row.numbers["gain"]
    assert row.numbers["smallest_visible_gain"] > 0.14


def test_mcnemar_is_exact_and_only_of_accuracy(facts, examples):
    frame = examples(gain=0.1)
    gained, lost = discordant(frame)
    row = judged(facts(), frame)[1]
    assert row.observed == pytest.approx(stats.binomtest(gained, gained + lost, alternative="greater").pvalue)
    assert row.numbers == {"gained": gained, "lost": lost}


@pytest.mark.parametrize(("gain", "passed"), [(0.15, True), (0.0, False)])
def test_other_metrics_have_an_exact_test_too(facts, examples, gain, passed):
    rows = judged(facts(metric="macro_f1"), examples(gain=gain, num_examples=1000))
    assert [(row.name, row.passed) for row in rows] == [("superiority", passed), ("exchange", passed)]
    assert rows[1].limit == 0.01


@pytest.mark.parametrize(("gain", "passed"), [(0.15, True), (0.0, False), (-0.15, False)])
def test_the_test_of_sacrebleu_stands_beside_bleu(facts, examples, gain, passed):
    rows = judged(facts(metric="bleu"), translated(examples(gain=gain, num_examples=300)))
    assert [(row.name, row.passed) for row in rows] == [
        ("superiority", passed),
        ("exchange", passed),
        ("sacrebleu", passed),
    ]
    assert rows[2].numbers["resamples"] == 10_000
    assert (rows[2].numbers["p_value"] <= 0.01) == (gain != 0.0)
    # Clearly worse is as small a p-value as clearly better, and passes for nothing.
    assert rows[2].observed == (1.0 if gain < 0 else rows[2].numbers["p_value"])


def test_models_that_translate_alike_are_not_better(facts, examples):
    frame = translated(examples(num_examples=100)).with_columns(champion=pl.col("challenger"))
    rows = judged(facts(metric="bleu"), frame)
    assert [row.passed for row in rows] == [False, False, False]
    assert rows[2].words.endswith("of a difference that is no gain")


@pytest.mark.parametrize(("gain", "passed"), [(0.0, True), (-0.12, False)])
def test_a_smaller_model_may_lose_the_margin(facts, examples, policy, gain, passed):
    found = facts(policy=policy(aim="smaller", margin=0.08))
    (row,) = judged(found, examples(gain=gain, num_examples=2000))
    assert (row.name, row.passed, row.limit) == ("non_inferiority", passed, -0.08)
