"""One gradient for a tied table equals the sum of the two that autograd makes."""

import copy

import numpy as np
import pytest
import torch

from lmforge.training.building import build_model
from lmforge.training.mixing import TrainingData
from models.architectures import Special, build_config, language_model
from models.fitting import DECODERS, ENCODER_DECODERS, ENCODERS, misfit
from models.heads import prediction_head
from models.objectives import OBJECTIVES
from models.tying import TiedEmbedding, tie_gradients

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=90)
PAIRS = [
    (objective, architecture)
    for objective in sorted(OBJECTIVES)
    for architecture in (*ENCODERS, *DECODERS, *ENCODER_DECODERS)
    if misfit(objective, architecture) is None
]
TIED = {"bert": "masked_lm", "modernbert": "masked_lm", "gpt2": "causal_lm", "llama": "causal_lm"}


def build(architecture):
    torch.manual_seed(0)
    config = build_config(architecture, "nano", SPECIAL, max_positions=32, dropout=0.0)
    return language_model(TIED.get(architecture, "span_corruption"), config).train()


def backward(model, ids, wanted):
    """The loss of naming each wanted token again from what the network makes of all."""
    hidden = model.base_model(input_ids=ids).last_hidden_state[wanted]
    loss = prediction_head(model).loss(hidden, ids[wanted])
    loss.backward()
    return loss.detach()


@pytest.mark.parametrize("architecture", TIED)
def test_gradients_are_those_of_autograd_also_in_parts(architecture):
    plain = build(architecture)
    tied = copy.deepcopy(plain)
    assert tie_gradients(tied)
    assert tied.get_output_embeddings().weight is tied.get_input_embeddings().weight
    generator = np.random.default_rng(0)
    for part in range(2):
        ids = torch.from_numpy(generator.integers(5, 90, (3, 8)))
        ids[0, 5:] = SPECIAL.pad
        wanted = torch.from_numpy(generator.random((3, 8)) < 0.5) & (ids != SPECIAL.pad)
        assert torch.equal(backward(plain, ids, wanted), backward(tied, ids, wanted)), part
    for (name, one), other in zip(plain.named_parameters(), tied.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        if one.grad is not None:
            torch.testing.assert_close(other.grad, one.grad, atol=1e-6, rtol=1e-4, msg=name)
    assert tied.get_input_embeddings().waiting == []


def test_no_wanted_token_leaves_nothing_for_the_next_step():
    model = build("bert")
    tie_gradients(model)
    ids = torch.randint(5, 90, (2, 8))
    backward(model, ids, torch.zeros_like(ids, dtype=torch.bool))
    assert model.get_input_embeddings().waiting == []


def test_weights_are_saved_and_loaded_as_those_of_a_plain_model(tmp_path):
    model = build("bert")
    names = list(model.state_dict())
    tie_gradients(model)
    assert list(model.state_dict()) == names
    model.save_pretrained(tmp_path)
    again = type(model).from_pretrained(tmp_path)
    assert torch.equal(again.get_input_embeddings().weight, model.get_input_embeddings().weight)


@pytest.mark.parametrize("architecture", ["t5", "bart"])
def test_table_with_more_users_is_left_alone(architecture):
    model = build(architecture)
    assert not tie_gradients(model)
    assert not isinstance(model.get_input_embeddings(), TiedEmbedding)


@pytest.mark.parametrize(("objective", "architecture"), PAIRS)
def test_every_objective_has_the_gradients_of_autograd_and_leaves_no_row_waiting(make_spec, objective, architecture):
    """One that gave the output layer no gradient would leave rows of one step to the next."""
    spec = make_spec(objective=objective, architecture=architecture)
    data = TrainingData(spec)
    torch.manual_seed(0)
    plain = build_model(spec).train()
    other = copy.deepcopy(plain)
    tied = tie_gradients(other)
    predicts = objective not in ("sequence_classification", "replaced_token_detection")
    assert tied is (predicts and architecture in (*TIED, "electra"))
    batch = data.training(0).batch(0)
    for model in (plain, other):
        torch.manual_seed(0)
        data.objective.loss(model, batch).backward()
    assert not tied or other.get_input_embeddings().waiting == []
    for (name, one), two in zip(plain.named_parameters(), other.parameters(), strict=True):
        assert (one.grad is None) == (two.grad is None), name
        if one.grad is not None:
            torch.testing.assert_close(two.grad, one.grad, atol=1e-5, rtol=1e-4, msg=name)
