"""What is drawn agrees with what was judged, and is right where it can be known beforehand."""

import polars as pl
import pytest

from lmforge.recipe.release import Slices
from lmforge.release.gate import judge
from lmforge.reporting.gate_page_measures import latencies, reliability, slice_rows, values
from tests.lmforge.release.conftest import make_evidence, make_facts, make_latency, make_policy


def slice_rules(evidence):
    return [rule for rule in judge(evidence).rules if rule.group == "slices"]


def with_parts(evidence, num_parts):
    """A second slice key of as many values."""
    parts = [f"part {at % num_parts:02}" for at in range(len(evidence.examples))]
    return evidence._replace(examples=evidence.examples.with_columns(pl.Series("slice_part", parts)))


def test_values_come_with_what_they_have_to_reach():
    rows = values(make_evidence(gain=0.1))
    assert [row["name"] for row in rows] == ["challenger", "champion", "required minimum", "majority"]
    assert (rows[2]["value"], rows[3]["value"]) == (0.5, 0.34)
    assert [row["name"] for row in values(make_evidence(champion=False))][:2] == ["challenger", "required minimum"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("slice_loss", [0.0, 0.15, 0.3])
def test_bounds_and_verdicts_of_slices_agree(seed, slice_loss):
    facts = make_facts(policy=make_policy(slices=Slices(max_regression=0.02, min_examples=20)))
    evidence = with_parts(make_evidence(facts, latency=None, seed=seed, slice_loss=slice_loss), 8)
    rules = slice_rules(evidence)
    rows = slice_rows(evidence, rules)
    assert [row["name"] for row in rows] == [rule.name for rule in rules]
    for row, rule in zip(rows, rules, strict=True):
        assert row["low"] <= row["change"] <= row["high"]
        assert (row["high"] < -0.02) is not rule.passed
        assert row["change"] == -rule.observed


def test_more_slices_make_longer_bounds():
    facts = make_facts(policy=make_policy(slices=Slices(min_examples=10)))
    one, many = make_evidence(facts, latency=None), with_parts(make_evidence(facts, latency=None), 20)
    lengths = [row["high"] - row["low"] for found in (one, many) for row in slice_rows(found, slice_rules(found))[:1]]
    assert lengths[0] < lengths[1]


def test_a_small_slice_has_no_bounds():
    found = with_parts(make_evidence(), 40)
    small = slice_rows(found, slice_rules(found))[-1]
    assert (small["judged"], small["low"], small["high"], small["num_examples"]) == (False, None, None, 10)


def test_reliability_counts_every_answer_once():
    frame = (
        make_evidence()
        .examples.head(4)
        .with_columns(
            pl.Series("challenger_confidence", [0.0, 0.5, 0.55, 1.0]),
            pl.Series("challenger", ["x", "x", "x", "x"]),
            pl.Series("gold", ["y", "x", "y", "x"]),
            pl.lit(None, dtype=pl.Float64).alias("champion_confidence"),
        )
    )
    curves = reliability(frame, 5)
    assert list(curves) == ["challenger"]
    assert [(one["bin"], one["right"], one["number"]) for one in curves["challenger"]] == [
        (0, 0.0, 1), (2, 0.5, 2), (4, 1.0, 1),
    ]  # fmt: skip
    assert curves["challenger"][1]["confidence"] == pytest.approx(0.525)


def test_latencies_are_milliseconds_and_no_call_is_lost():
    found = latencies(make_latency(2.0, num_pairs=500))
    assert found["num_pairs"] == sum(found["challenger"]) == sum(found["champion"]) == 500
    assert [row["share"] for row in found["quantiles"]] == [0.5, 0.9, 0.99]
    assert found["quantiles"][0]["ratio"] == pytest.approx(2.0, rel=0.1)
    assert found["quantiles"][0]["champion"] == pytest.approx(10, rel=0.1)
    assert latencies(None) is None


def test_equal_times_can_be_drawn():
    same = pl.DataFrame({"challenger_seconds": [0.01] * 6, "champion_seconds": [0.01] * 6})
    assert sum(latencies(same)["champion"]) == 6
