"""Which rows a step sees is a function of (seed, step), and length buckets waste little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lmforge.errors import InputError
from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.tokenization.tokenizer import load_tokenizer
from lmforge.training.batches import (
    BlockRows,
    DocumentRows,
    ExampleRows,
    TrainingBatches,
    ValidationBatches,
    epoch_batches,
)
from lmforge.training.objectives import objective_of

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
    return BlockRows(training_data / "train.npy")


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


def test_examples_are_cut_and_keep_their_label(examples, training_data, descriptions):
    assert int(examples.lengths.max()) == 64
    assert [SECTIONS[example.label] for example in examples.examples] == [row["section"] for row in descriptions[40:]]


def test_bad_data_is_named(training_data, tmp_path):
    np.save(tmp_path / "train.npy", np.zeros((0, 8), dtype=np.uint16))
    with pytest.raises(InputError, match=r"train\.npy: no block in it"):
        BlockRows(Path(tmp_path / "train.npy"))
    with pytest.raises(InputError, match=r"labels \['games', 'net'\] are not among \['text'\]"):
        ExampleRows(training_data / "train.parquet", training_data / "tokenizer", ["text"], 64)


def test_document_rows_are_whole_documents_without_borders(training_data, descriptions):
    rows = DocumentRows(training_data / "train.npy", max_length=64)
    tokenizer = load_tokenizer(training_data / "tokenizer")
    texts = [row["description"] for row in descriptions[40:]]
    encoded = [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    expected = [ids for ids in encoded if len(ids) >= 16]
    # The last document may lie beyond the last whole block.
    assert len(expected) - 1 <= len(rows) <= len(expected)
    taken = rows.take(np.arange(len(rows)))
    assert [row.tolist() for row in taken] == expected[: len(rows)]
    assert rows.lengths.tolist() == [min(len(ids), 64) for ids in expected[: len(rows)]]


def test_document_rows_need_a_document(tmp_path):
    np.save(tmp_path / "short.npy", np.full((1, 8), 7, dtype=np.uint16))
    np.save(tmp_path / "short_documents.npy", np.array([0, 8]))
    with pytest.raises(InputError, match="no document of 16 tokens"):
        DocumentRows(tmp_path / "short.npy", max_length=64)
