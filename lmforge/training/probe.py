"""What a run computes with, precision, threads, compilation, where the recipe leaves that to the machine.

A short probe times forward and backward passes on a real batch: half precision is half as fast as single precision on
one processor and twice as fast on another, and a second thread may cost more than it gives. The choice is part of a
run, because it changes the last bits of the weights: a resumed run keeps it, and later runs of the same network on the
same machine find it in `probes`.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lmforge.errors import InputError
from lmforge.hashing import hash_value
from lmforge.training.durable import write_file
from lmforge.training.precision import precision_of
from lmforge.training.processes import Processes
from lmforge.training.spec import TrainingSpec
from models.compiling import compile_layers, plain_layers
from models.lightning_module import LanguageModule
from models.objectives import Batch

logger = logging.getLogger(__name__)

# A run of fewer steps ends before the difference shows.
_MIN_STEPS = 200
# Compiling takes about half a minute, and another one at each resume.
_MIN_COMPILED_SECONDS = 1200.0
_TURNS = 3
# What is measured twice differs by as much; within it the default stays.
_NOISE = 0.05
_HALF = "bf16-mixed"


class Execution(NamedTuple):
    """Lightning's name of a precision, threads of all processes here, and whether layers are compiled."""

    precision: str
    num_threads: int
    compiled: bool


def prepare_execution(
    spec: TrainingSpec, module: LanguageModule, batch: Batch, processes: Processes, *, same_shapes: bool, resumed: bool
) -> Execution:
    """Choose, and set threads and compilation; the precision is for the Trainer. The first process chooses for all.

    batch: one as in training. same_shapes: whether all batches have its shape. resumed: whether the run directory
    holds the choice. Raises InputError for a precision or a compilation that this machine cannot do.
    """
    precision_of(spec.settings)
    if spec.settings.compile == "on" and _compiler() is None:
        raise InputError(f"{spec.name}: compile: on needs a C++ compiler; install g++, or set compile: auto or off")
    own = (_remembered(spec) if resumed else None) or _known(spec, module)
    if own is None:
        own = _choose(spec, module, module.parts(batch)[-1], same_shapes=same_shapes)
    chosen: Execution = processes.told(own)
    torch.set_num_threads(processes.num_threads(chosen.num_threads))
    if chosen.compiled:
        compile_layers(module.model, dynamic=not same_shapes)
    write_file(spec.execution_file, (json.dumps(chosen._asdict()) + "\n").encode(), "train.execution")
    return chosen


def _choose(spec: TrainingSpec, module: LanguageModule, batch: Batch, *, same_shapes: bool) -> Execution:
    settings = spec.settings
    options = _options(spec)
    chosen = options[0]._replace(compiled=settings.compile == "on")
    if settings.max_steps < _MIN_STEPS or settings.num_processes > 1:
        return chosen
    seconds = {option: _seconds(module, batch, option) for option in options} if len(options) > 1 else {}
    if seconds:
        best = min(options, key=seconds.__getitem__)
        if seconds[best] < (1 - _NOISE) * seconds[options[0]]:
            chosen = best._replace(compiled=chosen.compiled)
    if settings.compile == "auto":
        plain = seconds.get(chosen) or _seconds(module, batch, chosen)
        if plain * settings.max_steps >= _MIN_COMPILED_SECONDS and _compiler() is not None:
            faster = _is_faster_compiled(module, batch, chosen, plain, same_shapes=same_shapes)
            chosen = chosen._replace(compiled=faster)
    if seconds:
        told = ", ".join(f"{one.precision} x {one.num_threads}: {seconds[one] * 1000:.0f} ms" for one in options)
        logger.info("%s: probe of precision and threads: %s; takes %s", spec.name, told, _words(chosen))
        _remember(spec, module, chosen)
    return chosen


def _options(spec: TrainingSpec) -> list[Execution]:
    """What the settings leave open, the default first."""
    settings = spec.settings
    threads = [settings.num_threads or spec.num_threads]
    if settings.num_threads is None and threads[0] > 1 and not torch.cuda.is_available():
        threads.append(1)
    precisions = [precision_of(settings)] + ([_HALF] if settings.precision == "auto" and _has_half() else [])
    return [Execution(precision, number, compiled=False) for precision in precisions for number in threads]


def _is_faster_compiled(
    module: LanguageModule, batch: Batch, chosen: Execution, plain: float, *, same_shapes: bool
) -> bool:
    compile_layers(module.model, dynamic=not same_shapes)
    compiled = _seconds(module, batch, chosen)
    plain_layers(module.model)
    logger.info("compiled %.0f ms a step, %.0f ms without", compiled * 1000, plain * 1000)
    return compiled < (1 - _NOISE) * plain


def _seconds(module: LanguageModule, batch: Batch, option: Execution) -> float:
    """Least time of a forward and a backward pass; weights stay what they are and no gradient is left."""
    torch.set_num_threads(option.num_threads)
    device = module.device.type
    mixed = torch.autocast(device, dtype=torch.bfloat16, enabled=option.precision.startswith("bf16"))
    taken = []
    # The first turn pays for what is set up once.
    for _ in range(1 + _TURNS):
        started = time.monotonic()
        torch.manual_seed(module.seed)
        with mixed:
            loss = module.objective.loss(module.model, batch)
        torch.autograd.backward(loss)
        taken.append(time.monotonic() - started)
        module.model.zero_grad(set_to_none=True)
    return min(taken[1:])


def _has_half() -> bool:
    return torch.cuda.is_bf16_supported() if torch.cuda.is_available() else True


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CXX", "g++"))


def _remembered(spec: TrainingSpec) -> Execution | None:
    """The choice that this run directory was begun with."""
    found = _read(spec.execution_file)
    return Execution(**found) if found else None


def _known(spec: TrainingSpec, module: LanguageModule) -> Execution | None:
    """The choice of an earlier run on this machine."""
    found = _read(spec.probes).get(_key(spec, module)) if spec.probes else None
    return Execution(**found) if found else None


def _remember(spec: TrainingSpec, module: LanguageModule, chosen: Execution) -> None:
    if spec.probes:
        known = _read(spec.probes) | {_key(spec, module): chosen._asdict()}
        spec.probes.parent.mkdir(parents=True, exist_ok=True)
        write_file(spec.probes, (json.dumps(known, indent=1, sort_keys=True) + "\n").encode(), "train.execution")


def _key(spec: TrainingSpec, module: LanguageModule) -> str:
    """Everything that the choice may depend on; not the weights, so a network from scratch takes that of its twin."""
    settings = spec.settings.model_dump(mode="json", exclude={"learning_rate", "warmup_steps", "schedule"})
    machine = [platform.machine(), platform.processor(), spec.num_threads, torch.cuda.is_available(), torch.__version__]
    shapes = [[name, *weight.shape] for name, weight in module.model.named_parameters()]
    return hash_value([machine, type(module.model).__name__, spec.objective, shapes, settings])


def _read(path: Path | None) -> dict[str, Any]:
    if path is None or not path.is_file():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        # Measured again at no loss.
        return {}
    return found


def _words(chosen: Execution) -> str:
    return f"{chosen.precision} with {chosen.num_threads} thread(s){', compiled' if chosen.compiled else ''}"
