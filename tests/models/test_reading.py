"""A last layer that computes only what is read gives the values and gradients of the whole one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.architectures import Special, build_config, language_model
from models.memory import recompute_activations
from models.packing import Packed, hidden_states, placed
from models.reading import hidden_states_at, last_layer
from tests.models.gradients import assert_same, with_gradients

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)
OBJECTIVES = {"bert": "masked_lm", "modernbert": "masked_lm", "electra": "replaced_token_detection"}


def network(architecture: str):
    torch.manual_seed(0)
    config = build_config(architecture, "nano", SPECIAL, max_positions=48, dropout=0.0)
    return language_model(OBJECTIVES[architecture], config).train()


def batch(packed: bool):
    rng = np.random.default_rng(1)
    ids = rng.integers(5, 64, (3, 20))
    segments = np.where(np.arange(20) < 12, 1, 2) * np.ones((3, 1), dtype=np.int64)
    rows = Packed(ids, segments, np.where(segments == 1, np.arange(20), np.arange(20) - 12))
    return {"input_ids": torch.from_numpy(ids), **(placed(rows) if packed else {})}, torch.from_numpy(
        rng.random((3, 20)) < 0.2
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("architecture", list(OBJECTIVES))
def test_values_and_gradients_are_those_of_the_whole_layer(architecture, packed):
    model, (inputs, read) = network(architecture), batch(packed)
    wanted = with_gradients(model, hidden_states(model, inputs)[read])
    assert_same(with_gradients(model, hidden_states_at(model, inputs, read)), wanted)


def seen_by(model, inputs, read) -> int:
    """For how many positions the last layer's feed-forward part was computed."""
    counts: list[int] = []
    layer = last_layer(model)
    handle = layer.intermediate.register_forward_hook(lambda _, given, __: counts.append(given[0][..., 0].numel()))
    hidden_states_at(model, inputs, read)
    handle.remove()
    return counts[0]


def test_only_what_is_read_is_computed_and_nothing_stays_behind():
    model, (inputs, read) = network("bert"), batch(packed=False)
    assert seen_by(model, inputs, read) == int(read.sum())
    assert hidden_states(model, inputs).shape == (3, 20, model.config.hidden_size)
    recompute_activations(model)
    assert seen_by(model, inputs, read) == read.numel(), "computed again in the backward pass, without the choice"


def test_a_failed_pass_leaves_the_layer_as_it_was():
    model, (inputs, read) = network("bert"), batch(packed=False)
    with pytest.raises(IndexError):
        hidden_states_at(model, inputs | {"input_ids": inputs["input_ids"] + 64}, read)
    assert hidden_states(model, inputs).shape == (3, 20, model.config.hidden_size)


def test_networks_that_add_to_the_residual_stream_inside_the_layer_compute_all():
    assert last_layer(network("modernbert")) is None
    assert last_layer(network("electra").generator) is not None
