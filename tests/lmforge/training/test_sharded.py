"""FSDP in earnest, on processors, where torch shards as on GPUs: one process's curve, and the same steps after a stop.

Three things that need a GPU are replaced: our check for one, Lightning's, and a way of gathering.
"""

from __future__ import annotations

import pytest
import torch
from pytorch_lightning.strategies import FSDPStrategy
from pytorch_lightning.strategies import fsdp as lightning
from torch import nn
from torch.distributed.fsdp import FullStateDictConfig, FullyShardedDataParallel, StateDictType
from torch.distributed.fsdp.api import FullOptimStateDictConfig

from lmforge.training import program as training_program
from lmforge.training import strategies
from tests.lmforge.training.conftest import Group

# Largest relative difference to one process that was measured, of a gradient norm: 1.1e-6 over 8 steps.
TOLERANCE = 1e-5


class OnProcessors(FSDPStrategy):
    """Lightning refuses its own class without a GPU, and no class that is made from it; it names no device to torch."""

    def _setup_model(self, model: nn.Module) -> nn.Module:
        settings = {"mixed_precision": self.mixed_precision_config, "sharding_strategy": self.sharding_strategy}
        return FullyShardedDataParallel(model, device_id=torch.device("cpu"), **settings, **self.kwargs)


def gathered_in_place(module: nn.Module, world_size: int, rank0_only: bool = True):
    """Lightning moves what it gathers to the processor's memory; torch, where it is, frees it as if that had copied."""
    return FullyShardedDataParallel.state_dict_type(
        module,
        StateDictType.FULL_STATE_DICT,
        FullStateDictConfig(offload_to_cpu=False, rank0_only=rank0_only),
        FullOptimStateDictConfig(offload_to_cpu=False, rank0_only=rank0_only),
    )


def without_gpus() -> None:
    """Called in the processes that train."""
    training_program.check_devices = lambda settings, processes: None
    strategies.FSDPStrategy = OnProcessors
    lightning._get_full_state_dict_context = gathered_in_place


class Sharded(Group):
    prepare = staticmethod(without_gpus)


@pytest.mark.parametrize(
    ("architecture", "objective", "changes"),
    [
        ("bert", "masked_lm", {"weight_decay": 0.3, "gradient_clip_norm": 0.5}),
        ("bert", "masked_lm", {"gradient_checkpointing": True}),
        ("bert", "next_sentence", {}),
        ("modernbert", "masked_lm", {}),
        ("gpt2", "causal_lm", {}),
        ("llama", "causal_lm", {}),
        ("electra", "replaced_token_detection", {}),
        ("t5", "span_corruption", {}),
        ("bart", "denoising", {}),
    ],
)
def test_shards_have_the_curve_of_one_process(make_spec, program, architecture, objective, changes):
    settings = {"architecture": architecture, "objective": objective, "max_steps": 8, "eval_every_n_steps": 4}
    one = program(make_spec("one", **settings, **changes))
    two = Sharded(make_spec("two", **settings, **changes, num_processes=2, strategy="fsdp"))
    assert one.run() == 0
    assert two.run() == [0, 0], two.errors.read_text(encoding="utf-8")
    for row, wanted in zip(two.rows(), one.rows(), strict=True):
        assert row == pytest.approx(wanted, rel=TOLERANCE)


def test_labelled_texts(finetuning, program):
    one, two = program(finetuning("one")), Sharded(finetuning("two", num_processes=2, strategy="fsdp"))
    assert one.run() == 0
    assert two.run() == [0, 0], two.errors.read_text(encoding="utf-8")
    for row, wanted in zip(two.rows(), one.rows(), strict=True):
        assert row == pytest.approx(wanted, rel=TOLERANCE)


def test_half_the_bits(make_spec):
    settings = {"max_steps": 8, "num_processes": 2, "strategy": "fsdp"}
    full, half = (Sharded(make_spec(one, **settings, precision=one)) for one in ("32-true", "bf16-mixed"))
    assert full.run() == [0, 0]
    assert half.run() == [0, 0], half.errors.read_text(encoding="utf-8")
    for name in ("train/loss", "val/loss"):
        found, wanted = ([row[name] for row in one.rows() if name in row] for one in (half, full))
        assert found == pytest.approx(wanted, rel=0.01)
        assert found != wanted


def test_copies_do_not_become_shards_on_the_way(make_spec, group):
    """Moments are kept in the order of the optimizer's weights, which is another one for shards."""
    copies = group(make_spec(max_steps=200, num_processes=2))
    assert copies.run(stop_at=3) == [143, 143]
    shards = Sharded(make_spec(max_steps=200, num_processes=2, strategy="fsdp"))
    assert shards.run() == [2, 2]
    assert 'settings.strategy: "ddp" then, "fsdp" now' in shards.errors.read_text(encoding="utf-8")


def test_stopped_by_a_signal_to_one_and_resumed_exactly(make_spec):
    settings = {"max_steps": 20, "dropout": 0.1, "num_processes": 2, "strategy": "fsdp"}
    whole, parts = (Sharded(make_spec(name, **settings)) for name in ("whole", "parts"))
    assert whole.run() == [0, 0], whole.errors.read_text(encoding="utf-8")
    assert [parts.run(stop_at=6), parts.run()] == [[143, 143], [0, 0]], parts.errors.read_text(encoding="utf-8")
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()
