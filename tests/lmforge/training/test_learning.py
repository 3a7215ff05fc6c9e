"""Training learns: on real text, in seconds, the loss falls below what frequencies alone reach.

Those that need more steps for it are in tests/slow.
"""

from __future__ import annotations

import pytest

from models.fitting import DECODERS, ENCODER_DECODERS, ENCODERS
from tests.learning import loss_and_bound, spec_of, write_data

# Post-norm networks stay on the unigrams' loss for long: they need more steps, and a lower rate.
RUNS = [
    ("masked_lm", "modernbert", 100, 3e-3),
    ("contrastive_masked_lm", "bert", 100, 3e-3),
    ("contrastive_masked_lm", "modernbert", 100, 3e-3),
    *(("causal_lm", architecture, 80, 3e-3) for architecture in DECODERS),
    ("denoising", "t5", 100, 3e-3),
    *(("sequence_classification", one, 60, 2e-3) for one in (*ENCODERS, *DECODERS, *ENCODER_DECODERS)),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("learning"))


@pytest.mark.parametrize(("objective", "architecture", "steps", "rate"), RUNS)
def test_loss_falls_below_that_of_frequencies(data, program, tmp_path, objective, architecture, steps, rate):
    done = program(spec_of(data, tmp_path / "run", objective, architecture, max_steps=steps, learning_rate=rate))
    assert done.run() == 0, done.errors.read_text(encoding="utf-8")
    loss, bound = loss_and_bound(done.spec)
    assert loss < bound
