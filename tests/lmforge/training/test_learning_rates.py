"""The range test finds the steepest fall, leaves the run's network alone, and is done once a run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lmforge.training.learning_rates import steepest

RATES = np.geomspace(1e-6, 0.5, 60).tolist()


def test_steepest_is_the_middle_of_a_fall():
    losses = [6.0 - 3.0 / (1 + np.exp(-4 * (np.log10(rate) + 3))) for rate in RATES]
    assert steepest(RATES, losses) == pytest.approx(1e-3, rel=0.25)


def test_a_fall_from_a_peak_that_too_high_a_rate_made_does_not_count():
    losses = [6.0 - 3.0 / (1 + np.exp(-4 * (np.log10(rate) + 3))) for rate in RATES[:50]]
    peak = [5.0, 9.0, 11.0, 8.0, 6.0, 4.0]
    assert steepest(RATES[:56], losses + peak) == steepest(RATES[:50], losses) < 1e-2


@pytest.mark.parametrize("losses", [np.linspace(5, 6, 60).tolist(), [5.0] * 60, [6.0, 5.0, 4.0], []])
def test_no_rate_where_the_loss_does_not_fall(losses):
    assert steepest(RATES[: len(losses)], losses) is None


def test_run_uses_the_rate_that_it_finds_and_finds_it_once(make_spec, program):
    changes = {"max_steps": 16, "find_learning_rate": True, "schedule": "constant", "warmup_steps": 1}
    whole, parts = (program(make_spec(name, **changes)) for name in ("whole", "parts"))
    assert whole.run() == 0, whole.errors.read_text(encoding="utf-8")
    found = json.loads(whole.spec.learning_rate_file.read_bytes())
    assert len(found["rates"]) == len(found["losses"]) > 20
    assert 1e-5 < found["learning_rate"] < 0.1
    assert {row["train/learning_rate"] for row in whole.rows() if "train/learning_rate" in row} == {
        found["learning_rate"]
    }
    assert "found by a range test" in whole.errors.read_text(encoding="utf-8")
    assert parts.run(stop_at=6) == 143
    written = parts.spec.learning_rate_file.stat().st_mtime_ns
    assert parts.run() == 0
    assert parts.spec.learning_rate_file.stat().st_mtime_ns == written
    assert parts.spec.learning_rate_file.read_bytes() == whole.spec.learning_rate_file.read_bytes()
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()


def test_search_does_not_touch_the_network_of_the_run(make_spec, program):
    """With the rate that was found written by hand, the run is the same."""
    searched = program(make_spec("searched", max_steps=4, find_learning_rate=True))
    assert searched.run() == 0
    rate = json.loads(searched.spec.learning_rate_file.read_bytes())["learning_rate"]
    given = program(make_spec("given", max_steps=4, learning_rate=rate))
    assert given.run() == 0
    assert given.rows() == searched.rows()
    assert given.weights() == searched.weights()
