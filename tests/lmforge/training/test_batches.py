"""Which rows a step sees is a function of (seed, step), and length buckets waste little."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.training.batches import TrainingBatches, ValidationBatches, epoch_batches
from lmforge.training.objectives import objective_of
from lmforge.training.packed_rows import PackedRows
from lmforge.training.rows import ExampleRows

SECTIONS = ("games", "net", "text")


class Lengths:
    """Rows that are their own index, as long as given."""

    def __init__(self, lengths):
        self.lengths = lengths
        self.count = len(lengths)

    def __len__(self):
        return self.count

    def take(self, indices):
        return indices


@pytest.fixture
def blocks(training_data):
    return PackedRows(training_data / "train.npy")


@pytest.fixture
def examples(training_data):
    return ExampleRows(training_data / "train.parquet", training_data / "tokenizer", SECTIONS, 64)


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_every_row_comes_once_an_epoch(blocks):
    order = np.concatenate(epoch_batches(blocks, 8, 3, 0))
    assert len(order) == len(blocks) // 8 * 8
    assert len(set(order.tolist())) == len(order)


def test_every_example_comes_once_an_epoch_and_buckets_pad_little():
    lengths = np.random.default_rng(0).integers(3, 200, 4000)
    batches = epoch_batches(Lengths(lengths), 32, 3, 0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(4000))
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert lengths.sum() / padded > 0.95
    assert max(len(batch) for batch in batches) == 32


def test_batches_of_a_pool_of_one_are_random_draws():
    lengths = np.random.default_rng(0).integers(3, 200, 4000)
    batches = epoch_batches(Lengths(lengths), 32, 3, 0, pool_batches=1)
    assert sorted(np.concatenate(batches).tolist()) == list(range(4000))
    means = np.array([lengths[batch].mean() for batch in batches])
    # Of 32 draws from 3 to 199 the mean has a standard deviation of 10.
    assert 8 < means.std() < 12


def test_epochs_and_seeds_differ_and_repeat(examples):
    def flat(seed, epoch):
        return np.concatenate(epoch_batches(examples, 8, seed, epoch)).tolist()

    assert flat(1, 0) == flat(1, 0)
    assert flat(1, 0) != flat(1, 1)
    assert flat(1, 0) != flat(2, 0)


def test_fewer_rows_than_a_batch_make_one_batch():
    class Few(Lengths):
        def __init__(self):
            self.lengths, self.count = None, 3

    assert sorted(epoch_batches(Few(), 8, 0, 0)[0].tolist()) == [0, 1, 2]


@pytest.mark.parametrize("start", [0, 1, 5, 29])
def test_starting_anywhere_gives_the_batches_of_those_steps(training_data, blocks, start):
    objective = objective_of(Pretraining(), training_data / "tokenizer")
    whole = list(TrainingBatches(blocks, objective, batch_size=16, max_steps=30, seed=5))
    assert len(whole) == 30
    rest = TrainingBatches(blocks, objective, batch_size=16, max_steps=30, seed=5, start_step=start)
    assert all(equal(one, other) for one, other in zip(rest, whole[start:], strict=True))


def test_masks_differ_between_epochs(training_data, blocks):
    objective = objective_of(Pretraining(), training_data / "tokenizer")
    batches = TrainingBatches(blocks, objective, batch_size=len(blocks), max_steps=2, seed=5)
    first, second = (batch["labels"] for batch in batches)
    assert not torch.equal(first, second)


def test_validation_is_the_same_each_time_and_has_every_row(training_data, examples, blocks):
    masked = ValidationBatches(blocks, objective_of(Pretraining(), training_data / "tokenizer"), 16)
    assert all(equal(one, other) for one, other in zip(masked, masked, strict=True))
    assert sum(len(batch["input_ids"]) for batch in masked) == len(blocks)
    labelled = ValidationBatches(examples, objective_of(Finetuning(), training_data / "tokenizer"), 16)
    assert sum(len(batch["labels"]) for batch in labelled) == len(examples)


def padded(rows, batches):
    return [len(batch) * int(rows.lengths[batch].max()) for batch in batches]


def test_token_budget_holds_and_wastes_little():
    rows = Lengths(np.random.default_rng(0).integers(3, 200, 4000))
    batches = epoch_batches(rows, 32, 3, 0, max_tokens=4096)
    assert sorted(np.concatenate(batches).tolist()) == list(range(4000))
    assert max(padded(rows, batches)) <= 4096
    assert rows.lengths.sum() / sum(padded(rows, batches)) > 0.93
    assert np.mean(padded(rows, batches)) > 0.85 * 4096, "batches are as large as the budget lets them be"


def test_token_budget_gives_every_epoch_as_many_batches_of_other_rows():
    rows = Lengths(np.random.default_rng(0).integers(3, 200, 997))
    epochs = [epoch_batches(rows, 32, seed, epoch, 2048) for seed, epoch in ((1, 0), (1, 1), (1, 0), (2, 0))]
    assert len({len(batches) for batches in epochs}) == 1
    first, second, again, other = (np.concatenate(batches).tolist() for batches in epochs)
    assert first == again
    assert first not in (second, other)
    members = [{frozenset(batch.tolist()) for batch in batches} for batches in epochs[:2]]
    assert len(members[0] & members[1]) < len(members[0]) / 4, "rows meet other rows in the next epoch"


def test_a_row_beyond_the_budget_is_a_batch_of_its_own():
    rows = Lengths(np.array([90, 5, 120, 5, 5]))
    batches = epoch_batches(rows, 32, 0, 0, max_tokens=50)
    assert sorted(sorted(batch.tolist()) for batch in batches) == [[0], [1, 3, 4], [2]]


def test_budget_holds_in_training_and_validation(training_data, examples):
    objective = objective_of(Finetuning(), training_data / "tokenizer")
    training = TrainingBatches(examples, objective, batch_size=4, max_steps=9, seed=5, max_tokens=512)
    validation = list(ValidationBatches(examples, objective, 4, max_tokens=512))
    assert all(batch["input_ids"].numel() <= 512 for batch in (*training, *validation))
    assert sum(len(batch["labels"]) for batch in validation) == len(examples)
    assert max(len(batch["labels"]) for batch in validation) > 4, "the budget replaces the number of rows"
