"""Robustness: known losses, that only a worse model fails, and what is missing is said."""

import numpy as np
import polars as pl
import pytest

from lmforge.release.rules.robustness import judge_robustness, score_losses

OFF = {"max_robustness_loss": None}


def rules(facts, policy, examples, variants, champion=True, metric="accuracy", **robustness):
    described = facts(champion, policy=policy(robustness=robustness), metric=metric)
    return {row.name: row for row in judge_robustness(described, examples, variants)}


def test_losses_are_of_means():
    found = score_losses(np.array([8.0, 6.0, 10.0, 3.0, 3.0, 4.0]))
    assert found == pytest.approx(np.array([0.2, 0.0]))
    assert score_losses(np.zeros(6)).tolist() == [0.0, 0.0]


def test_equal_models_pass_and_a_brittle_one_fails_in_each_kind(facts, policy, examples, variants):
    frame = examples()
    equal = rules(facts, policy, frame, variants(frame))
    assert list(equal) == ["typos", "upper", "lower", "unicode"]
    assert all(row.passed and row.judged for row in equal.values())
    brittle = rules(facts, policy, frame, variants(frame, noise_loss=0.4))
    assert not any(row.passed for row in brittle.values())
    assert "allowed +0.0200" in brittle["typos"].words


def test_the_numbers_are_those_of_the_answers(facts, policy, examples, variants):
    frame = examples()
    changed = variants(frame, noise_loss=0.2)
    row = rules(facts, policy, frame, changed)["upper"]
    noisy = changed.filter(pl.col("kind") == "upper")
    for side in ("challenger", "champion"):
        plain, with_noise = frame[f"{side}_score"].mean(), noisy[f"{side}_score"].mean()
        assert row.numbers[f"{side}_plain"] == pytest.approx(plain)
        assert row.numbers[f"{side}_noisy"] == pytest.approx(with_noise)
        assert row.numbers[side] == pytest.approx(plain - with_noise)
    assert row.observed < row.numbers["challenger"] - row.numbers["champion"]


def test_a_model_that_is_worse_on_plain_text_is_not_called_brittle(facts, policy, examples, variants):
    frame = examples(gain=-0.3)
    assert all(row.passed for row in rules(facts, policy, frame, variants(frame)).values())


def test_weights_and_groups_count(facts, policy, examples, variants):
    """A document of two sentences is drawn as one, so the bound is lower than that of twice as many examples."""
    frame = examples().with_columns(pl.lit(2.0).alias("challenger_weight"), pl.lit(2.0).alias("champion_weight"))
    changed = variants(frame, noise_loss=0.2)
    alone = rules(facts, policy, frame, changed)["typos"]
    assert alone.numbers["champion_plain"] == pytest.approx(frame["champion_score"].mean() / 2)
    paired = frame.with_columns((pl.col("id").str.slice(1).cast(pl.Int64) // 20).cast(pl.String).alias("group"))
    assert rules(facts, policy, paired, changed)["typos"].observed != alone.observed


def test_without_limit_it_is_measured_and_not_judged(facts, policy, examples, variants):
    frame = examples()
    found = rules(facts, policy, frame, variants(frame, noise_loss=0.4), **OFF)
    assert all(row.passed and not row.judged and row.observed > 0.1 for row in found.values())
    unmeasured = rules(facts, policy, frame, None, **OFF)
    assert all(row.passed and not row.judged and "not measured" in row.words for row in unmeasured.values())


def test_a_limit_that_was_not_measured_fails(facts, policy, examples, variants):
    frame = examples()
    for given in (None, variants(frame, kinds=("typos", "identity"))):
        found = rules(facts, policy, frame, given)
        assert not found["upper"].passed and "not measured" in found["upper"].words
    assert found["typos"].judged and found["typos"].passed
    part = rules(facts, policy, frame, variants(frame.head(100)))
    assert not part["typos"].passed and "100 of 400 noisy examples" in part["typos"].words


def test_a_first_version_is_reported_with_its_numbers(facts, policy, examples, variants):
    frame = examples(champion=False)
    for row in rules(facts, policy, frame, variants(frame), champion=False).values():
        assert (row.passed, row.judged, row.observed) == (True, False, None)
        assert 0 < row.numbers["challenger"] < 0.3 and "champion" not in row.numbers
    for row in rules(facts, policy, frame, None, champion=False).values():
        assert row.passed and "no champion yet" in row.words


def test_a_small_sample_is_not_judged(facts, policy, examples, variants):
    frame = examples(num_examples=40)
    row = rules(facts, policy, frame, variants(frame, noise_loss=0.9))["typos"]
    assert (row.passed, row.judged) == (True, False) and "fewer than 50 examples" in row.words


def test_a_language_model_has_no_such_rule(facts, policy, examples):
    found = rules(facts, policy, examples(), None, metric="bits_per_byte")
    assert all(row.passed and not row.judged and "language model" in row.words for row in found.values())


def test_no_section_is_no_rule(facts, policy, examples):
    assert judge_robustness(facts(policy=policy(robustness=None)), examples(), None) == []


@pytest.mark.parametrize("kinds", [("typos",), ("lower", "typos")])
def test_only_the_kinds_of_the_recipe_are_judged(facts, policy, examples, variants, kinds):
    frame = examples()
    assert list(rules(facts, policy, frame, variants(frame), kinds=kinds)) == list(kinds)
