"""Budgets: what is within, what is above, and what nobody measured."""

import pytest

from lmforge.release.evidence import Subject
from lmforge.release.rules.budgets import judge_budgets, latency_ratio


def subject(size=1000, memory=None):
    return Subject(version="2", fingerprint="a" * 64, size_bytes=size, peak_memory_bytes=memory)


def outcome(rows):
    return {row.name: (row.passed, row.judged) for row in rows}


def test_an_equal_model_is_within_its_budgets(facts, latency):
    found = outcome(judge_budgets(facts(), latency()))
    assert found == {"latency": (True, True), "size": (True, True), "memory": (True, False)}


def test_the_first_version_has_nobody_to_cost_more_than(facts):
    assert set(outcome(judge_budgets(facts(champion=False), None)).values()) == {(True, False)}


@pytest.mark.parametrize(("ratio", "passed"), [(0.5, True), (1.2, True), (2.0, False)])
def test_latency_is_judged_by_its_upper_bound(facts, latency, ratio, passed):
    row = judge_budgets(facts(), latency(ratio))[0]
    assert row.passed is passed
    assert row.numbers["ratio"] < row.numbers["upper_bound"] == row.observed


@pytest.mark.parametrize("num_pairs", [0, 4])
def test_a_budget_that_was_not_measured_is_broken(facts, latency, policy, num_pairs):
    assert outcome(judge_budgets(facts(), latency(num_pairs=4) if num_pairs else None))["latency"] == (False, True)
    free = facts(policy=policy(budgets={"latency_ratio": None}))
    assert outcome(judge_budgets(free, None))["latency"] == (True, False)


def test_size_and_memory_are_plain_ratios(facts, policy, latency):
    limited = policy(budgets={"size_ratio": 1.1, "memory_ratio": 1.1})
    rows = judge_budgets(facts(challenger=subject(1200, 500), champion=subject(1000, 500), policy=limited), latency())
    assert outcome(rows) == {"latency": (True, True), "size": (False, True), "memory": (True, True)}
    assert rows[1].words == "size: 1.200 times the champion's; allowed 1.100"
    unknown = judge_budgets(facts(policy=limited), latency())
    assert outcome(unknown)["memory"] == (False, True)


@pytest.mark.parametrize(("size", "ratio", "passed"), [(1000, 1.0, False), (600, 1.0, True), (1000, 0.5, True)])
def test_a_smaller_model_has_to_be_cheaper(facts, policy, latency, size, ratio, passed):
    aimed = facts(challenger=subject(size), policy=policy(aim="smaller", margin=0.02))
    assert outcome(judge_budgets(aimed, latency(ratio)))["cheaper"] == (passed, True)


def test_the_bound_of_the_median_covers_it(latency):
    covered = [latency_ratio(latency(noise=0.5, seed=seed, num_pairs=40), 0.05)[1] >= 1.0 for seed in range(200)]
    assert sum(covered) >= 180
    assert latency_ratio(latency(num_pairs=4), 0.05)[1] is None
