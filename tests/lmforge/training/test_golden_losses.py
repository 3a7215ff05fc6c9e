"""The losses of the first steps, for each objective on each architecture, are those of the file beside this test.

A change of weights, batches, masks, schedule or optimizer shows here at once, whether it was meant or not. Losses are
compared within 1e-4 of their size and not with ==: processors with vectors of another width add in another order.
To renew the file after a change that was meant: `pytest tests/lmforge/training/test_golden_losses.py --renew-golden`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.fitting import DECODERS, ENCODER_DECODERS, ENCODERS, misfit
from models.objectives import OBJECTIVES

GOLDEN = Path(__file__).with_name("golden_losses.json")
ARCHITECTURES = (*ENCODERS, *DECODERS, *ENCODER_DECODERS)
PAIRS = [(one, other) for one in sorted(OBJECTIVES) for other in ARCHITECTURES if misfit(one, other) is None]


def losses(rows) -> dict[str, list[float]]:
    """The training loss after each step and the losses of the validation at the end."""
    values = {"train/loss": [row["train/loss"] for row in rows if "train/loss" in row]}
    for row in rows:
        values |= {name: [value] for name, value in row.items() if name.startswith("val/") and "loss" in name}
    return values


@pytest.mark.parametrize(("objective", "architecture"), PAIRS)
def test_first_losses_are_the_golden_ones(make_spec, program, request, objective, architecture):
    settings = {"max_steps": 3, "warmup_steps": 1, "precision": "32-true", "compile": "off"}
    done = program(make_spec(objective=objective, architecture=architecture, **settings))
    assert done.run() == 0, done.errors.read_text(encoding="utf-8")
    found = losses(done.rows())
    assert len(found["train/loss"]) == 3
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.is_file() else {}
    name = f"{objective} {architecture}"
    if request.config.getoption("--renew-golden", default=False):
        golden[name] = found
        GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert golden[name].keys() == found.keys()
    for metric, values in golden[name].items():
        assert found[metric] == pytest.approx(values, rel=1e-4), metric


def test_the_file_has_no_more_than_these():
    assert json.loads(GOLDEN.read_text(encoding="utf-8")).keys() == {" ".join(pair) for pair in PAIRS}
