"""Find a learning rate by a range test before training (Smith 2017, section 3.3).

A copy of the network learns for a few steps at rates that grow from far too low to far too high; the rate at which its
smoothed loss falls fastest is used. Batches, dropout and so the result are functions of the seed; the result is a file
of the run, so a resumed run uses the rate that it began with.
"""

from __future__ import annotations

import copy
import json
import logging
import math
from collections.abc import Callable

import numpy as np
import torch

from lmforge.errors import TrainingError
from lmforge.training.durable import write_file
from lmforge.training.spec import TrainingSpec
from models.lightning_module import LanguageModule, clip
from models.objectives import Batch

logger = logging.getLogger(__name__)

_NUM_STEPS = 60
_LOWEST, _HIGHEST = 1e-6, 0.5
# Smith takes accuracies as they are; losses of single batches are smoothed, and the test ends where they run away.
_SMOOTHING, _RUNAWAY = 0.8, 2.0
# The first slopes are of moments that hold a step or two.
_NUM_FIRST = 5


def find_learning_rate(spec: TrainingSpec, module: LanguageModule, batch_of: Callable[[int], Batch]) -> float:
    """The rate in the run directory's learning_rate.json, which a first call writes with what it measured.

    batch_of: the batch of a step. Raises TrainingError when no rate lowers the loss.
    """
    if not spec.learning_rate_file.is_file():
        rates, losses = _range_test(copy.deepcopy(module), batch_of)
        found = steepest(rates, losses)
        if found is None:
            raise TrainingError(
                f"{spec.name}: no rate from {_LOWEST:g} to {_HIGHEST:g} lowers the loss in {_NUM_STEPS} steps; set "
                "find_learning_rate: false and give a learning_rate"
            )
        content = {"learning_rate": found, "rates": rates, "losses": losses}
        write_file(spec.learning_rate_file, (json.dumps(content) + "\n").encode(), "train.learning_rate")
    rate = float(json.loads(spec.learning_rate_file.read_bytes())["learning_rate"])
    logger.info("%s: learning rate %.3g, found by a range test (%s)", spec.name, rate, spec.learning_rate_file)
    return rate


def steepest(rates: list[float], losses: list[float]) -> float | None:
    """The one of `rates`, a geometric sequence, at which the loss falls fastest, or None where it never falls.

    Behind the lowest loss a fall is only that from the peak before it.
    """
    if len(losses) < _NUM_FIRST + 2 or (lowest := int(np.argmin(losses))) < _NUM_FIRST:
        return None
    slopes = np.gradient(losses)[_NUM_FIRST : lowest + 1]
    place = int(slopes.argmin())
    return rates[_NUM_FIRST + place] if slopes[place] < 0 else None


def _range_test(module: LanguageModule, batch_of: Callable[[int], Batch]) -> tuple[list[float], list[float]]:
    """Rates and smoothed losses in nats, up to the rate at which the loss runs away."""
    module.train()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module.model.to(device)
    optimizer = module.configure_optimizers()["optimizer"]
    rates: list[float] = []
    losses: list[float] = []
    average = 0.0
    for step in range(_NUM_STEPS):
        rate = _LOWEST * (_HIGHEST / _LOWEST) ** (step / (_NUM_STEPS - 1))
        for group in optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(int(np.random.SeedSequence([module.seed, step]).generate_state(1)[0]))
        loss = module.objective.loss(module.model, {name: one.to(device) for name, one in batch_of(step).items()})
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        clip(optimizer, 1.0)
        optimizer.step()
        average = _SMOOTHING * average + (1 - _SMOOTHING) * float(loss.detach())
        smoothed = average / (1 - _SMOOTHING ** (step + 1))
        if not math.isfinite(smoothed) or (losses and smoothed > _RUNAWAY * min(losses)):
            break
        rates.append(rate)
        losses.append(smoothed)
    return rates, losses
