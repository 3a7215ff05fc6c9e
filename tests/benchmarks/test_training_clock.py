"""The stopwatch counts the steps of any loop, and only those that count."""

import time

import pytest
import torch

from benchmarks.training_clock import SHAPES, Stopwatch, counted, matrix_rate


def train(steps: int, pause: float = 0.0) -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([weight])
    for _ in range(steps):
        weight.grad = torch.ones(3)
        optimizer.step()
        time.sleep(pause)


def test_every_optimizer_step_is_marked_and_warm_up_left_out():
    clock = Stopwatch()
    train(2, pause=0.2)
    train(3, pause=0.01)
    assert len(clock.marks) == 5
    turn = clock.turn(tokens=70, examples=7, warm_up_steps=1, steps=3)
    assert (turn["steps"], turn["tokens"], turn["examples"]) == (2, 70, 7)
    assert 0.02 <= turn["wall_seconds"] < 0.2, "steps before the turn do not count"
    assert turn["cpu_seconds"] <= turn["wall_seconds"] + 0.05
    assert turn["peak_mb"] > 10


def test_a_loop_that_ended_early_is_an_error():
    clock = Stopwatch()
    train(2)
    with pytest.raises(ValueError, match="2 optimizer steps were made, not 3"):
        clock.turn(0, 0, 1, 3)


def test_batches_that_were_fetched_and_not_trained_on_do_not_count():
    assert counted([100, 10, 20, 30, 5], warm_up_steps=1, steps=4) == 60


def test_the_rate_is_of_real_products():
    rate = matrix_rate(seconds=0.05)
    m, k, n = SHAPES[0]
    left, right = torch.randn(m, k), torch.randn(k, n)
    started = time.perf_counter()
    torch.mm(left, right)
    assert rate > 0.2 * 2 * m * k * n / (time.perf_counter() - started)
