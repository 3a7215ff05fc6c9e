"""Turns of systems in processes of their own, and what a comparison reads from them.

A turn that fails ends the benchmark with what the process printed; a peer that cannot be imported is left out, and its
rows say what to install.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lmforge.computing import training_settings
from lmforge.training.spec import TrainingSpec

HERE = Path(__file__).parent
MISSING = "accelerate is not installed: pip install 'lmforge[bench]', or name a --peer-python that has it"
# The same for all systems; ours has beside it what lmforge sets for its own programs.
ENVIRONMENT = {"GOMP_SPINCOUNT": "50000", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1",
               "TRANSFORMERS_VERBOSITY": "error", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}  # fmt: skip
SETTINGS = {"learning_rate": 5e-4, "warmup_steps": 0, "weight_decay": 0.01}
# Larger than any run here: checkpoints and validations come at the end only.
NEVER = 10**9


def call(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON that a script of this directory prints in its last line; `environment` is added to that of all."""
    python, script, *rest = map(str, command)
    paths = os.pathsep.join([str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [python, str(HERE / script), *rest],
        env=os.environ | ENVIRONMENT | dict(environment or {}) | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{script} {' '.join(rest)} failed:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@cache
def trainer_python(peer_python: str) -> str | None:
    """This interpreter, else the other, if it can run Hugging Face's Trainer."""
    probe = "import accelerate, datasets, torch, transformers"
    for python in (sys.executable, peer_python):
        if subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0:
            return python
    return None


def peer_turn(python: str, work: Path, turn: Mapping[str, Any]) -> dict[str, Any]:
    """Measurements of a turn of `training_peers.py`."""
    defaults = SETTINGS | {"adam_beta2": 0.98, "seed": 1, "out": "", "save_every": 0}
    defaults |= {"num_texts": None, "num_labels": None}
    settings = work / "turn.json"
    settings.write_text(json.dumps(defaults | dict(turn), default=str), encoding="utf-8")
    return call([python, "training_peers.py", settings])


def our_turn(spec: TrainingSpec, *options: str) -> dict[str, Any]:
    """Measurements of a turn of `training_ours.py`."""
    spec.run_dir.mkdir(parents=True)
    path = spec.run_dir / "turn.json"
    path.write_text(spec.model_dump_json(), encoding="utf-8")
    return call([sys.executable, "training_ours.py", path, *options], training_settings())


def matrix_rate(num_threads: int) -> float:
    """The machine's best fp32 matrix products now, in FLOPs a second."""
    rate: float = call([sys.executable, "training_clock.py", str(num_threads)])["flops_per_second"]
    return rate


def program_settings(arguments: Namespace, **changes: Any) -> dict[str, Any]:
    """Settings of a training program that is measured: what the command line says, and nothing but steps to do."""
    return SETTINGS | {
        "num_threads": arguments.threads,
        "precision": "32-true",
        "compile": arguments.compile,
        "eval_every_n_steps": NEVER,
        "checkpoint_every_n_steps": NEVER,
    } | changes  # fmt: skip
