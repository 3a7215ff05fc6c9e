"""What Lightning is told of several processes; FSDP as far as it goes without a GPU."""

from __future__ import annotations

import json

import pytest
import torch
from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy
from torch import nn
from torch.distributed.fsdp import ShardingStrategy

from lmforge.errors import InputError
from lmforge.recipe.optimization import Pretraining
from lmforge.training.building import build_model
from lmforge.training.checkpoints import newest_checkpoint
from lmforge.training.processes import Processes
from lmforge.training.strategies import check_devices, fsdp, layer_classes, load_gathered, trainer_settings

LAYERS = {
    ("bert", "masked_lm"): {"BertLayer"},
    ("modernbert", "masked_lm"): {"ModernBertEncoderLayer"},
    ("electra", "replaced_token_detection"): {"ElectraLayer"},
    ("gpt2", "causal_lm"): {"GPT2Block"},
    ("llama", "causal_lm"): {"LlamaDecoderLayer"},
    ("t5", "span_corruption"): {"T5Block"},
    ("bart", "denoising"): {"BartEncoderLayer", "BartDecoderLayer"},
}


@pytest.mark.parametrize(("architecture", "objective"), LAYERS)
def test_shards_are_transformer_layers(make_spec, architecture, objective):
    network = build_model(make_spec(architecture=architecture, objective=objective))
    classes = layer_classes(network)
    assert {one.__name__ for one in classes} == LAYERS[architecture, objective]
    policy = fsdp(network).kwargs["auto_wrap_policy"]
    wrapped = [module for module in network.modules() if policy(module=module, recurse=False, nonwrapped_numel=0)]
    assert {type(module) for module in wrapped} == classes
    assert len(wrapped) >= 2


def test_network_without_layers_is_refused():
    with pytest.raises(InputError, match="Linear has no list of layers to shard: use strategy: ddp"):
        layer_classes(nn.Linear(2, 2))


def test_settings_of_shards(make_spec):
    settings = Pretraining(num_processes=2, strategy="fsdp")
    strategy = trainer_settings(settings, build_model(make_spec()), Processes(0, 8, 4))
    assert isinstance(strategy["strategy"], FSDPStrategy)
    assert (strategy["devices"], strategy["num_nodes"]) == (4, 2)
    assert strategy["strategy"].sharding_strategy == ShardingStrategy.FULL_SHARD
    assert strategy["strategy"]._state_dict_type == "full"
    assert strategy["strategy"].kwargs["use_orig_params"] is True


def test_one_process_needs_no_strategy_and_two_copy_the_network():
    network = nn.Linear(2, 2)
    assert trainer_settings(Pretraining(), network, Processes())["strategy"] == "auto"
    two = trainer_settings(Pretraining(num_processes=2), network, Processes(0, 2, 2))
    assert isinstance(two["strategy"], DDPStrategy)
    assert two["strategy"]._ddp_kwargs["find_unused_parameters"] is True


def test_shards_without_a_gpu_are_refused():
    assert not torch.cuda.is_available()
    with pytest.raises(InputError, match="this machine has none that torch can use; write strategy: ddp"):
        check_devices(Pretraining(num_processes=2, strategy="fsdp"), Processes(0, 2, 2))
    check_devices(Pretraining(num_processes=2), Processes(0, 2, 2))


def test_weights_of_a_checkpoint_are_those_of_the_released_model(make_spec, program):
    from safetensors.torch import load_file

    done = program(make_spec(max_steps=4))
    assert done.run() == 0
    assert json.loads(done.spec.result_file.read_bytes())["steps"] == 4
    network = load_gathered(build_model(done.spec), newest_checkpoint(done.spec.checkpoints))
    released = load_file(done.spec.model_dir / "model.safetensors")
    assert len(released) > 10
    assert all(torch.equal(network.state_dict()[name], weight) for name, weight in released.items())
