"""torch.compile of the repeated layers of a network, in place: names of weights and checkpoints stay what they are.

Layers of one class are compiled once and share the code, so that the wait does not grow with the depth.
"""

from __future__ import annotations

from torch import nn
from transformers import PreTrainedModel

from models.reading import last_layer


def compile_layers(model: nn.Module, *, dynamic: bool) -> int:
    """Compile the Transformer layers of a network at their first use; return how many that are.

    One whose output is left out in part (`models/reading.py`) stays as it is: that saves more, and cannot be compiled.

    dynamic: whether lengths change from batch to batch. The code is then made for any length at once: made for the
    first length and again for another, it would differ in the last bits between a resumed run and the whole one.
    """
    partial = [last_layer(network) for network in model.modules() if isinstance(network, PreTrainedModel)]
    layers = [layer for layer in _layers(model) if layer not in partial]
    for layer in layers:
        layer.compile(dynamic=dynamic)
    return len(layers)


def plain_layers(model: nn.Module) -> None:
    """Undo `compile_layers`."""
    for layer in _layers(model):
        layer._compiled_call_impl = None


def _layers(model: nn.Module) -> list[nn.Module]:
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and _is_stack(module)]
    return [layer for stack in stacks for layer in stack]


def _is_stack(modules: nn.ModuleList) -> bool:
    """Whether the modules are layers of one class and not the parts of a layer, which have fewer matrices."""
    same_class = len({type(module) for module in modules}) == 1
    return same_class and sum(weight.ndim >= 2 for weight in modules[0].parameters()) >= 4
