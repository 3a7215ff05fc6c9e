"""How Lightning spreads a network over the processes of a run: copies of it (DDP) or shards of it (FSDP).

FSDP needs GPUs: what of it runs without one is tested, the training itself was not run; see docs/distributed.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.environments import TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy, Strategy
from torch import nn
from torch.distributed.fsdp import ShardingStrategy
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from transformers import PreTrainedModel

from lmforge.errors import InputError
from lmforge.recipe.optimization import Optimization
from lmforge.training.processes import TIMEOUT, Processes


def check_devices(settings: Optimization, processes: Processes) -> None:
    """Raise InputError for FSDP without GPUs, which Lightning would refuse late, and for more processes than GPUs."""
    num_gpus = torch.cuda.device_count()
    if settings.strategy == "fsdp" and not num_gpus:
        raise InputError(
            "strategy: fsdp shards a model over GPUs, and this machine has none that torch can use; "
            "write strategy: ddp, which also runs on processors"
        )
    if 0 < num_gpus < processes.num_local:
        raise InputError(
            f"num_processes: {processes.num_local} on this machine, but it has {num_gpus} GPUs; one process needs one"
        )


def trainer_settings(settings: Optimization, network: nn.Module, processes: Processes) -> dict[str, Any]:
    """What `Trainer` is told of devices and strategy."""
    strategy: Strategy | str = "auto"
    if settings.strategy == "fsdp":
        strategy = fsdp(network)
    elif processes.size > 1:
        strategy = _ddp()
    return {
        "accelerator": "gpu" if torch.cuda.is_available() else "cpu",
        "devices": processes.num_local,
        "num_nodes": processes.size // processes.num_local,
        "strategy": strategy,
        # Every process makes the whole batch itself.
        "use_distributed_sampler": False,
    }


def _ddp() -> DDPStrategy:
    """Copies of the network that add up their gradients.

    Unused parameters are looked for at each step: some networks have them (the pooled output in masked LM), and DDP
    then keeps its buckets as they are. Otherwise it makes new ones after the first step, which adds three or more
    gradients in another order, and a resumed run would not be that of the whole one to the last bit.
    """
    return DDPStrategy(
        cluster_environment=TorchElasticEnvironment(),
        find_unused_parameters=True,
        gradient_as_bucket_view=True,
        timeout=TIMEOUT,
    )


def fsdp(network: nn.Module) -> FSDPStrategy:
    """Shards of weights, gradients and optimizer states, a Transformer layer at a time.

    The checkpoint is gathered in the first process, so that it is one file with a checksum like any other and goes on
    with any number of processes; on the processor's side it needs the memory of the whole state once.
    """
    return FSDPStrategy(
        cluster_environment=TorchElasticEnvironment(),
        auto_wrap_policy=ModuleWrapPolicy(layer_classes(network)),
        sharding_strategy=ShardingStrategy.FULL_SHARD,
        state_dict_type="full",
        # Parameter groups with and without weight decay need parameters of their own.
        use_orig_params=True,
        timeout=TIMEOUT,
    )


def load_gathered(network: PreTrainedModel, checkpoint: Path) -> PreTrainedModel:
    """A network like the trained one, with all weights of its checkpoint: how a model of shards is exported."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("model."): weight for name, weight in state.items()})
    return network


def layer_classes(network: nn.Module) -> set[type[nn.Module]]:
    """Classes of the Transformer layers: the elements of the outermost module lists.

    Raises InputError for a network without any.
    """
    found = _layers(network)
    if not found:
        raise InputError(f"{type(network).__name__} has no list of layers to shard: use strategy: ddp")
    return found


def _layers(module: nn.Module) -> set[type[nn.Module]]:
    if isinstance(module, nn.ModuleList):
        return {type(layer) for layer in module}
    return set().union(*(_layers(child) for child in module.children()))
