"""Shares of a batch add up to the batch, and shares of a validation to the validation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lmforge.training.mixing import TrainingData
from lmforge.training.objectives import special_ids
from lmforge.training.processes import AgreedStop, Processes
from lmforge.training.sharing import SharedObjective, SharedValidation, own_rows
from lmforge.training.stopping import StopRequest
from models.architectures import build_config, language_model


class Unasked(AgreedStop):
    """Counts how often it would ask the other processes, which are not there."""

    asked = 0

    def agree(self) -> None:
        self.asked += 1


@pytest.mark.parametrize("num_rows", [1, 2, 7, 8])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_each_row_belongs_to_one_process(num_rows, size):
    batch = {"input_ids": torch.arange(num_rows * 5).view(num_rows, 5), "scale": torch.tensor(3)}
    shares = [own_rows(batch, Processes(rank, size, size)) for rank in range(size)]
    owned = [share["input_ids"] for share, factor in shares if factor]
    assert torch.equal(torch.cat(owned), batch["input_ids"])
    assert [factor for _, factor in shares if factor] == [size] * min(size, num_rows)
    # Without a row of its own a process still takes part in the step.
    assert all(len(share["input_ids"]) >= 1 and int(share["scale"]) == 3 for share, _ in shares)


@pytest.mark.parametrize(
    ("architecture", "objective"),
    [("bert", "masked_lm"), ("bert", "sentence_order"), ("electra", "replaced_token_detection"), ("bart", "denoising")],
)
def test_mean_of_the_shares_is_the_batch(make_spec, architecture, objective):
    """Losses and gradients, although the shares have unequal numbers of targets."""
    spec = make_spec(architecture=architecture, objective=objective)
    data = TrainingData(spec)
    batch = data.training(0).batch(0)
    special = special_ids(spec.tokenizer)
    torch.manual_seed(0)
    special = special._replace(vocab_size=special.vocab_size + 100)  # sentinels
    network = language_model(objective, build_config(architecture, "nano", special, max_positions=64, dropout=0.0))
    found = {}
    for size in (1, 3):
        network.zero_grad()
        losses = []
        for rank in range(size):
            loss = SharedObjective(data.objective, Processes(rank, size, size)).loss(network, batch) / size
            loss.backward()
            losses.append(loss.item())
        gradients = [weight.grad.clone() for weight in network.parameters() if weight.grad is not None]
        found[size] = sum(losses), torch.cat([gradient.flatten() for gradient in gradients])
    assert found[3][0] == pytest.approx(found[1][0], rel=1e-6)
    assert torch.allclose(found[3][1], found[1][1], atol=1e-6)
    unequal = [own_rows(batch, Processes(rank, 3, 3))[0] for rank in range(3)]
    assert len({tuple(data.objective.counts(share).values()) for share in unequal}) > 1


@pytest.mark.parametrize("num_batches", [0, 1, 5, 6])
def test_batches_of_a_validation_are_dealt_out_in_turns(num_batches):
    batches = [{"input_ids": torch.tensor([[number]])} for number in range(num_batches)]
    seen, asked = [], []
    for rank in range(3):
        processes = Processes(rank, 3, 3)
        stop = Unasked(StopRequest(), processes)
        seen.append([int(batch["input_ids"]) for batch in SharedValidation(batches, processes, stop)])
        asked.append(stop.asked)
    assert seen == [list(range(rank, num_batches, 3)) for rank in range(3)]
    # Who asks more often than the others would wait for ever.
    assert len(set(asked)) == 1
    assert asked[0] == -(-num_batches // 3)


def test_each_process_may_take_all_batches():
    processes = Processes(1, 2, 2)
    validation = SharedValidation([{}, {}, {}], processes, Unasked(StopRequest(), processes), whole=True)
    assert len(list(validation)) == 3
    assert validation.total({"loss": 2.0}) == {"loss": 2.0}


def test_all_but_the_loss_is_of_the_whole_batch(make_spec):
    objective = TrainingData(make_spec()).objective
    rows = TrainingData(make_spec()).training(0)
    batch = rows.batch(0)
    shared = SharedObjective(objective, Processes(1, 2, 2))
    assert shared.counts(batch) == objective.counts(batch)
    assert shared.metrics({"loss": 2.0, "count": 4.0, "correct": 1.0})["loss"] == 0.5
    assert np.array_equal(batch["input_ids"], rows.batch(0)["input_ids"])
