"""The averaged weights are what is validated and released, and a stop does not change them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from lmforge.training.averaging import Averaging
from lmforge.training.checkpoints import newest_checkpoint


class Owner(nn.Module):
    """As much of a LanguageModule as the average needs."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.model = nn.Linear(2, 2, dtype=dtype)


def set_to(owner: Owner, value: float) -> None:
    with torch.no_grad():
        for weight in owner.parameters():
            weight.fill_(value)


def test_average_follows_its_formula():
    owner, averaging = Owner(), Averaging(0.5)
    set_to(owner, 0.0)
    averaging.on_train_start(None, owner)
    wanted = 0.0
    for step, value in enumerate([1.0, 3.0, -2.0, 8.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5.0], start=1):
        set_to(owner, value)
        averaging.on_train_batch_end(None, owner)
        decay = min(0.5, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * value
    assert averaging.average["weight"][0, 0].item() == pytest.approx(wanted, rel=1e-6)
    assert owner.model.weight[0, 0].item() == 5.0, "training goes on with its own weights"


def test_average_of_16_bit_weights_keeps_small_changes():
    owner, averaging = Owner(torch.bfloat16), Averaging(0.999)
    set_to(owner, 1.0)
    averaging.on_train_start(None, owner)
    averaging.num_updates = 100_000
    set_to(owner, 1.0078125)  # the number after 1 in bfloat16
    averaging.on_train_batch_end(None, owner)
    assert averaging.average["weight"][0, 0].item() == pytest.approx(1 + 0.0078125 * 0.001, rel=1e-7)


def test_weights_are_their_own_again_behind_the_block():
    owner, averaging = Owner(), Averaging(0.9)
    set_to(owner, 1.0)
    averaging.on_train_start(None, owner)
    set_to(owner, 2.0)
    with pytest.raises(RuntimeError, match="inside"), averaging.applied(owner):
        assert owner.model.bias[0].item() == 1.0
        raise RuntimeError("inside")
    assert owner.model.bias[0].item() == 2.0


def test_run_releases_the_average_and_resumes_it_exactly(make_spec, program):
    changes = {"max_steps": 20, "eval_every_n_steps": 10, "learning_rate": 5e-3}
    plain = program(make_spec("plain", **changes))
    whole, parts = (program(make_spec(name, ema_decay=0.95, **changes)) for name in ("whole", "parts"))
    assert (plain.run(), whole.run()) == (0, 0)
    assert [parts.run(stop_at=7), parts.run(stop_at=13), parts.run()] == [143, 143, 0]
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()
    train = [[row["train/loss"] for row in one.rows() if "train/loss" in row] for one in (plain, whole)]
    val = [[row["val/loss"] for row in one.rows() if "val/loss" in row] for one in (plain, whole)]
    assert train[0] == train[1], "the average does not touch training"
    assert val[0][0] != val[1][0]
    saved = torch.load(newest_checkpoint(whole.spec.checkpoints), weights_only=True)
    state = next(value for name, value in saved["callbacks"].items() if "Averaging" in name)
    released = load_file(whole.spec.model_dir / "model.safetensors")
    trained = load_file(plain.spec.model_dir / "model.safetensors")
    for name, tensor in state["average"].items():
        if name in released:
            assert torch.equal(released[name], tensor)
            assert torch.equal(saved["state_dict"][f"model.{name}"], trained[name])
    assert np.mean([not torch.equal(released[name], trained[name]) for name in released]) > 0.9
