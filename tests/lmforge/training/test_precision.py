"""Precisions reach the network, and one that cannot work here is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file

from lmforge.errors import InputError
from lmforge.recipe.optimization import Pretraining
from lmforge.training.precision import precision_of


def test_auto_is_32_bits_and_others_are_taken_as_they_are():
    names = ("auto", "32-true", "bf16-mixed", "bf16-true")
    chosen = [precision_of(Pretraining(precision=name)) for name in names]
    assert chosen == ["32-true", "32-true", "bf16-mixed", "bf16-true"]


def test_16_mixed_is_for_gpus():
    settings = Pretraining(precision="16-mixed", not_finite="skip")
    assert precision_of(settings, has_gpu=True) == "16-mixed"
    with pytest.raises(InputError, match="needs a GPU and there is none here; set precision: bf16-mixed or 32-true"):
        precision_of(settings, has_gpu=False)


def test_16_mixed_overflows_on_purpose():
    with pytest.raises(ValidationError, match="it needs not_finite: skip"):
        Pretraining(precision="16-mixed")


def test_precisions_train_alike_but_not_the_same(make_spec, program):
    """Steps in bfloat16 have about three digits; the released model has 32 bits in any case."""
    losses = {}
    for name in ("32-true", "bf16-mixed", "bf16-true"):
        done = program(make_spec(name, precision=name, max_steps=8))
        assert done.run() == 0, done.errors.read_text(encoding="utf-8")
        losses[name] = [row["train/loss"] for row in done.rows() if "train/loss" in row]
        tensors = load_file(done.spec.model_dir / "model.safetensors")
        assert {str(tensor.dtype) for tensor in tensors.values()} == {"float32"}
    for name in ("bf16-mixed", "bf16-true"):
        assert losses[name] != losses["32-true"]
        assert losses[name] == pytest.approx(losses["32-true"], rel=0.02)
    assert losses["bf16-mixed"] != losses["bf16-true"]


def test_refusal_is_bad_input_of_the_program(make_spec, program):
    refused = program(make_spec(precision="16-mixed", not_finite="skip"))
    assert refused.run() == 2
    assert "precision 16-mixed needs a GPU" in refused.errors.read_text(encoding="utf-8")
