"""A stopwatch that times any training loop alike, by a hook that torch runs after each step of an optimizer.

It knows neither of the loops that it times. What lies between two steps is counted in full: reading, batching, forward,
backward, clipping, logging. Also measures the machine's rate of matrix products, the limit of every loop here. Needs
nothing but torch, so that the peers' interpreter can use it.

Usage: python benchmarks/training_clock.py NUM_THREADS   (prints the best rate of fp32 products as JSON)
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

# m, k, n of the products: a square one, and the widest layer of a 4x256 network on 4,096 tokens.
SHAPES = ((2048, 2048, 2048), (4096, 256, 1024))
SECONDS_A_SHAPE = 1.0


class Mark(NamedTuple):
    """The clocks after one step: seconds of wall and CPU time, and the process's highest memory so far."""

    wall_seconds: float
    cpu_seconds: float
    peak_kb: int


class Stopwatch:
    """Marks every optimizer step of this process from now on."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        register_optimizer_step_post_hook(self._mark)

    def _mark(self, *_: Any) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.marks.append(Mark(time.perf_counter(), time.process_time(), peak))

    def turn(self, tokens: int, examples: int, warm_up_steps: int, steps: int) -> dict[str, float]:
        """What the last `steps` steps took, the first `warm_up_steps` of them left out.

        tokens, examples: of the steps that count. Steps before those, of a probe for example, do not matter.
        Raises ValueError when the loop made fewer steps.
        """
        if len(self.marks) < steps:
            raise ValueError(f"{len(self.marks)} optimizer steps were made, not {steps}")
        marks = self.marks[-steps:]
        first, last = marks[warm_up_steps - 1], marks[-1]
        return {
            "steps": steps - warm_up_steps,
            "wall_seconds": last.wall_seconds - first.wall_seconds,
            "cpu_seconds": last.cpu_seconds - first.cpu_seconds,
            "tokens": tokens,
            "examples": examples,
            "peak_mb": round(last.peak_kb / 1024),
        }


def counted(per_batch: Sequence[int], warm_up_steps: int, steps: int) -> int:
    """The sum over the batches of the steps that count; loaders fetch some batches more than are trained on."""
    return sum(per_batch[warm_up_steps:steps])


def matrix_rate(seconds: float = SECONDS_A_SHAPE) -> float:
    """Floating-point operations a second of the best fp32 matrix product of `SHAPES`."""
    best = 0.0
    for m, k, n in SHAPES:
        left, right = torch.randn(m, k), torch.randn(k, n)
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            torch.mm(left, right)
            best = max(best, 2 * m * k * n / (time.perf_counter() - started))
    return best


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[1]))
    print(json.dumps({"flops_per_second": matrix_rate()}))
