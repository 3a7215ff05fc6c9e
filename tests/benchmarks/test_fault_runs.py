"""A drawn part of the grid: a run that is ended at a durable point comes out as if it had never been."""

from __future__ import annotations

import json
import random

import pytest

from benchmarks.fault_runs import Case, Outcome, Run, cuts, differences, grid, play, points_of

CHECKPOINT_EVERY, NUM_STEPS = 3, 10
NUM_DRAWN, SEED = 6, 7


@pytest.fixture
def spec(make_spec):
    settings = {"max_steps": NUM_STEPS, "eval_every_n_steps": 4, "checkpoint_every_n_steps": CHECKPOINT_EVERY}
    return json.loads(make_spec(dropout=0.1, **settings).model_dump_json())


@pytest.fixture
def whole(spec, tmp_path):
    """The undisturbed run, which recorded its points."""
    run = Run(tmp_path / "whole", spec)
    assert run.start(LMFORGE_FAULT_RECORD=str(tmp_path / "points.txt")).code == 0, run.printed()
    return run


def test_drawn_cases_end_as_the_undisturbed_run(spec, whole, tmp_path):
    points = points_of(tmp_path / "points.txt")
    assert {"train.claim.renamed", "train.identity.renamed", "train.result.renamed"} <= points.keys()
    assert points["train.checkpoint.renamed"] == points["train.checkpoint.read_back"] == 4
    assert points["train.checkpoint.old_deleted"] == 2
    for number, case in enumerate(random.Random(SEED).sample(list(grid(points, every_visit=True)), NUM_DRAWN)):
        result = play(case, Run(tmp_path / str(number), spec), whole.outcome(), CHECKPOINT_EVERY)
        assert not result.wrong, result


def test_several_stops_in_one_epoch(spec, whole, tmp_path):
    (case,) = cuts({"three stops": (1, 2, 6)})
    assert len(case.faults) == 3
    result = play(case, Run(tmp_path / "stops", spec), whole.outcome(), CHECKPOINT_EVERY)
    assert not result.wrong, result
    assert result.lost == 0


def test_lost_metrics_are_refused_and_named(spec, whole, tmp_path):
    case = Case(
        "train.metrics.appended", "truncate", ("train.metrics.appended:truncate:4,train.metrics.appended:kill9:4",)
    )
    result = play(case, Run(tmp_path / "lost", spec), whole.outcome(), CHECKPOINT_EVERY)
    assert (result.wrong, result.refused) == ((), True)


def test_faults_are_planted_where_they_are_noticed():
    def fault(point, kind):
        return next(case.faults[-1] for case in grid({point: 1}) if case.kind == kind)

    assert fault("train.result.opened", "kill9") == "train.result.opened:kill9:1"
    assert fault("train.checkpoint.written", "bitflip") == "train.checkpoint.written:bitflip:1"
    assert (
        fault("train.checksum.written", "truncate")
        == "train.checksum.written:truncate:1,train.checkpoint.pruned:kill9:1"
    )
    assert "truncate" not in {case.kind for case in grid({"train.checkpoint.pruned": 1})}
    assert len(list(grid({"train.metrics.appended": 5}, every_visit=True))) == 7 * 5


def test_any_difference_is_found():
    rows = [{"step": 1, "train/loss": 0.5}, {"step": 2, "train/loss": 0.25}]
    whole = Outcome(rows, {"model.safetensors": "a"})
    assert differences(whole, Outcome(list(rows), {"model.safetensors": "a"})) == []
    assert differences(whole, Outcome(rows[:1], {"model.safetensors": "a"})) == ["1 rows of metrics instead of 2"]
    assert differences(whole, Outcome([rows[0], rows[1] | {"train/loss": 0.2500000001}], {}))[1:] == [
        "model.safetensors differs"
    ]
