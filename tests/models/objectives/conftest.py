"""Text that is easy to learn and cannot be guessed from frequencies: counting upwards from a random token.

Its unigram entropy is that of the uniform distribution over the counted tokens, so a loss below it was learnt from
context.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from models.architectures import Special, build_config, language_model

NUM_COUNTED, NUM_SPECIAL, LENGTH = 24, 5, 24


class Counting(NamedTuple):
    """The special tokens of the vocabulary and the entropy in nats of its ordinary tokens."""

    special: Special = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=NUM_COUNTED + NUM_SPECIAL)
    entropy: float = math.log(NUM_COUNTED)
    ordinary: np.ndarray = np.arange(NUM_COUNTED + NUM_SPECIAL) >= NUM_SPECIAL

    def blocks(self, num_rows: int, seed: int, length: int = LENGTH) -> np.ndarray:
        """`[num_rows, length]` uint16."""
        starts = np.random.default_rng(seed).integers(0, NUM_COUNTED, (num_rows, 1))
        return ((starts + np.arange(length)) % NUM_COUNTED + NUM_SPECIAL).astype(np.uint16)


@pytest.fixture(scope="session")
def counting() -> Counting:
    return Counting()


@pytest.fixture(scope="session")
def network(counting) -> Callable[..., Any]:
    """A nano model with weights of seed 0 for an objective; `num_extra` tokens beyond the vocabulary."""

    def build(architecture: str, objective: str, num_extra: int = 0) -> Any:
        torch.manual_seed(0)
        special = counting.special._replace(vocab_size=counting.special.vocab_size + num_extra)
        config = build_config(architecture, "nano", special, max_positions=64, dropout=0.0)
        return language_model(objective, config).eval()

    return build


@pytest.fixture(scope="session")
def learn(counting) -> Callable[..., dict[str, float]]:
    """Train a model on the counting text and return the validation metrics on rows it has not seen."""

    def run(model: Any, objective: Any, num_steps: int, rows: Any = None, rate: float = 3e-3) -> dict[str, float]:
        make = rows or (lambda seed: counting.blocks(32, seed))
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
        for step in range(num_steps):
            optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 10)
            loss = objective.loss(model, objective.collate(make(step), np.random.default_rng(step)))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        batch = objective.collate(make(10_000), np.random.default_rng(10_000))
        with torch.inference_mode():
            return objective.metrics(objective.sums(model.eval(), batch))

    return run
