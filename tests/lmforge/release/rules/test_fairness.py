"""Counterfactual gaps: known ones, that only a larger one fails, and what is missing is said."""

import numpy as np
import polars as pl
import pytest

from lmforge.release.rules.fairness import judge_fairness, mean_gaps

NAMES = ["probability_gap", "changed_answers"]


def rules(facts, policy, examples, variants, champion=True, metric="accuracy", **fairness):
    described = facts(champion, policy=policy(fairness=fairness), metric=metric)
    return {row.name: row for row in judge_fairness(described, examples, variants)}


def test_gaps_are_means():
    assert mean_gaps(np.array([3.0, 1.0, 10.0])) == pytest.approx(np.array([0.3, 0.1]))


def test_equal_models_pass_and_an_unfair_one_fails(facts, policy, examples, variants):
    frame = examples()
    equal = rules(facts, policy, frame, variants(frame))
    assert list(equal) == NAMES and all(row.passed and row.judged for row in equal.values())
    unfair = rules(facts, policy, frame, variants(frame, gap=0.2))
    assert not any(row.passed for row in unfair.values())
    fairer = rules(facts, policy, frame, variants(frame, gap=-0.04))
    assert all(row.passed and row.observed < 0 for row in fairer.values())


def test_the_numbers_are_those_of_the_answers(facts, policy, examples, variants):
    frame = examples()
    changed = variants(frame, gap=0.1)
    swapped = changed.filter(pl.col("kind") == "identity").sort("id")
    found = rules(facts, policy, frame, changed)
    for side in ("challenger", "champion"):
        gap = (swapped[f"{side}_confidence"] - frame[f"{side}_confidence"]).abs().mean()
        assert found["probability_gap"].numbers[side] == pytest.approx(gap)
        share = (swapped[side] != frame[side]).mean()
        assert found["changed_answers"].numbers[side] == pytest.approx(share)
    assert "answers change in" in found["changed_answers"].words and "%" in found["changed_answers"].words


def test_a_change_in_either_direction_counts(facts, policy, examples, variants):
    """Probabilities that go up as often as down do not cancel."""
    frame = examples().with_columns(pl.lit(0.5).alias("challenger_confidence"))
    moves = pl.Series([0.2 if at % 2 else 0.8 for at in range(len(frame))])
    changed = variants(frame, kinds=("identity",)).with_columns(moves.alias("challenger_confidence"))
    assert rules(facts, policy, frame, changed)["probability_gap"].numbers["challenger"] == pytest.approx(0.3)


def test_without_limit_it_is_measured_and_not_judged(facts, policy, examples, variants):
    frame = examples()
    free = {"max_fairness_gap_increase": None}
    found = rules(facts, policy, frame, variants(frame, gap=0.3), **free)
    assert all(row.passed and not row.judged and row.observed > 0.1 for row in found.values())
    assert all(row.passed and not row.judged for row in rules(facts, policy, frame, None, **free).values())


def test_a_limit_that_was_not_measured_fails(facts, policy, examples):
    found = rules(facts, policy, examples(), None)
    assert not any(row.passed for row in found.values())
    assert all("not measured" in row.words for row in found.values())


@pytest.mark.parametrize(("number", "words"), [(0, "no example holds an identity term"), (30, "fewer than 50")])
def test_few_examples_with_a_term_are_not_judged(facts, policy, examples, variants, number, words):
    frame = examples()
    found = rules(facts, policy, frame, variants(frame.head(number), gap=0.9))
    assert all(row.passed and not row.judged and words in row.words for row in found.values())


def test_a_first_version_is_reported_with_its_numbers(facts, policy, examples, variants):
    frame = examples(champion=False)
    for row in rules(facts, policy, frame, variants(frame), champion=False).values():
        assert (row.passed, row.judged, row.observed) == (True, False, None)
        assert 0 < row.numbers["challenger"] < 0.2 and "champion" not in row.numbers
    assert all(row.passed for row in rules(facts, policy, frame, None, champion=False).values())


def test_without_probabilities_the_answers_are_judged(facts, policy, examples, variants):
    frame = examples(confidence=False)
    found = rules(facts, policy, frame, variants(frame, gap=0.2))
    assert not found["probability_gap"].judged and "no probabilities" in found["probability_gap"].words
    assert not found["changed_answers"].passed


def test_a_language_model_and_no_section_have_no_such_rule(facts, policy, examples):
    found = rules(facts, policy, examples(), None, metric="bits_per_byte")
    assert all(row.passed and not row.judged for row in found.values())
    assert judge_fairness(facts(policy=policy(fairness=None)), examples(), None) == []
