"""Objectives that take some hundred steps to learn more than frequencies; the others are in tests/lmforge/training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.fitting import ENCODER_DECODERS
from tests.learning import loss_and_bound, spec_of, write_data

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RUNS = [
    ("masked_lm", "bert", 300, 2e-3),
    ("masked_lm", "electra", 300, 2e-3),
    ("contrastive_masked_lm", "electra", 100, 3e-3),
    ("next_sentence", "bert", 300, 2e-3),
    ("sentence_order", "bert", 300, 2e-3),
    # A detector answers the base rate for its first thousand steps.
    ("replaced_token_detection", "electra", 1500, 5e-4),
    *(("span_corruption", architecture, 1500, 1e-3) for architecture in ENCODER_DECODERS),
    ("denoising", "bart", 300, 1e-3),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("learning"))


@pytest.mark.parametrize(("objective", "architecture", "steps", "rate"), RUNS)
def test_loss_falls_below_that_of_frequencies(data, tmp_path, objective, architecture, steps, rate):
    spec = spec_of(
        data, tmp_path / "run", objective, architecture, max_steps=steps, learning_rate=rate, warmup_steps=steps // 15
    )
    (tmp_path / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "lmforge.training", tmp_path / "spec.json"],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loss, bound = loss_and_bound(spec)
    assert loss < bound
