"""A run ends with its first budget that is used up, whole, and a resumed run ends at the same step."""

from __future__ import annotations

import json

import pytest
import torch

from lmforge.recipe.optimization import Pretraining
from lmforge.training.budgets import Budgets, num_tokens
from lmforge.training.checkpoints import newest_checkpoint, step_of


def result(done) -> dict:
    return json.loads(done.spec.result_file.read_text(encoding="utf-8"))


def steps(done, metric: str) -> list[int]:
    return [row["step"] for row in done.rows() if metric in row]


def test_run_without_other_budgets_ends_by_its_steps(make_spec, program):
    done = program(make_spec(max_steps=4))
    assert done.run() == 0
    assert (result(done)["ended_by"], result(done)["steps"]) == ("max_steps", 4)


def test_token_budget_ends_the_run_with_a_checkpoint_a_validation_and_a_cooled_rate(make_spec, program):
    changes = {"max_steps": 400, "warmup_steps": 4, "checkpoint_every_n_steps": 50, "eval_every_n_steps": 50}
    whole, parts = (program(make_spec(name, max_tokens=4000, **changes)) for name in ("whole", "parts"))
    assert whole.run() == 0
    last = result(whole)["steps"]
    assert 15 <= last < 30, "about 250 tokens a step"
    assert result(whole)["ended_by"] == "max_tokens"
    rows = [row for row in whole.rows() if "train/loss" in row]
    assert [row["step"] for row in rows] == list(range(1, last + 1))
    assert rows[-2]["train/tokens"] < 4000 <= rows[-1]["train/tokens"]
    assert steps(whole, "val/loss") == [last]
    assert step_of(newest_checkpoint(whole.spec.checkpoints)) == last
    # By steps alone the rate would still be near its highest; the tokens say that the run is over.
    assert rows[-1]["train/learning_rate"] < 0.1 * max(row["train/learning_rate"] for row in rows)
    assert parts.run(stop_at=9) == 143
    assert parts.run() == 0
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()
    assert result(parts)["ended_by"] == "max_tokens"


def test_run_that_a_budget_ended_only_finishes_when_it_is_started_again(make_spec, program):
    """As after a kill between the last checkpoint and the model."""
    twice = program(make_spec(max_steps=400, max_tokens=1500))
    assert twice.run() == 0
    rows, weights, first = twice.rows(), twice.weights(), result(twice)
    for path in (twice.spec.result_file, *twice.spec.model_dir.iterdir()):
        path.unlink()
    assert twice.run() == 0
    assert (twice.rows(), twice.weights()) == (rows, weights)
    assert result(twice) == first


def test_minutes_end_the_run(make_spec, program):
    done = program(make_spec(max_steps=100_000, max_minutes=0.5 / 60, eval_every_n_steps=100_000))
    assert done.run() == 0
    assert result(done)["ended_by"] == "max_minutes"
    assert 1 <= result(done)["steps"] < 100_000
    assert 0.5 <= result(done)["train/seconds"] < 5
    assert steps(done, "val/loss") == [result(done)["steps"]]
    rates = [row["train/learning_rate"] for row in done.rows() if "train/learning_rate" in row]
    assert rates[-1] < 0.5 * max(rates)


def test_early_stopping_ends_after_its_patience_and_survives_a_stop(make_spec, program):
    """A rate far too high: validation does not get better for long."""
    changes = {"max_steps": 300, "learning_rate": 0.3, "eval_every_n_steps": 2, "early_stopping_patience": 3}
    whole, parts = (program(make_spec(name, schedule="constant", **changes)) for name in ("whole", "parts"))
    assert whole.run() == 0
    assert result(whole)["ended_by"] == "early_stopping"
    losses = [row["val/loss"] for row in whole.rows() if "val/loss" in row]
    assert len(losses) < 150
    assert min(losses[-3:]) >= min(losses[:-3])
    assert all(min(losses[: end - 3]) > min(losses[end - 3 : end]) for end in range(4, len(losses))), "not before"
    assert step_of(newest_checkpoint(whole.spec.checkpoints)) == result(whole)["steps"] == 2 * len(losses)
    assert parts.run(stop_at=2 * len(losses) - 3) == 143
    assert parts.run() == 0
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()


def test_patience_counts_validations_in_a_row_without_a_lower_loss():
    budgets = Budgets(Pretraining(early_stopping_patience=2))
    for step, (loss, ended) in enumerate(
        [(5.0, None), (6.0, None), (4.0, None), (4.0, None), (4.5, "early_stopping")], start=1
    ):
        budgets.validated(step, loss)
        assert budgets.ended_by == ended
    assert budgets.best_loss == 4.0


def test_validation_that_is_told_twice_counts_once():
    budgets = Budgets(Pretraining(early_stopping_patience=2))
    for step in (1, 2, 2, 2):
        budgets.validated(step, 5.0)
    assert (budgets.num_worse, budgets.ended_by) == (1, None)


def test_share_is_that_of_the_nearest_end():
    budgets = Budgets(Pretraining(max_steps=100, max_tokens=1000))
    budgets.num_tokens = 300
    assert budgets.share(10) == pytest.approx(0.3)
    assert budgets.share(60) == pytest.approx(0.6)


def test_state_comes_back():
    first, second = Budgets(Pretraining()), Budgets(Pretraining())
    first.num_tokens, first.ended_by, first.best_loss, first.num_worse = 7, "max_tokens", 1.5, 2
    state = first.state_dict()
    second.load_state_dict(state)
    assert second.state_dict() | {"seconds": 0} == state | {"seconds": 0}
    assert second.seconds >= state["seconds"]


def test_padding_is_no_token():
    ids = torch.ones(2, 3, dtype=torch.long)
    assert num_tokens({"input_ids": ids}) == 6
    assert num_tokens({"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 1], [1, 0, 0]])}) == 4
