"""Pairs of segments: what is in a row, what tells a spoilt pair apart, and what must not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.configurations import Special
from models.objectives.masked_lm import IGNORED
from models.objectives.next_sentence import NextSentence
from models.objectives.sentence_order import SentenceOrder

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=60_000)
KINDS = (NextSentence, SentenceOrder)


def objective(kind, max_seq_length: int = 24):
    return kind(SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5, mask_share=0.15, max_seq_length=max_seq_length)


def documents(*lengths: int) -> list[np.ndarray]:
    """Documents that count up from a thousand each of their own."""
    return [np.arange(1000 * (1 + index), 1000 * (1 + index) + length) for index, length in enumerate(lengths)]


def pairs(batch) -> list[tuple[list[int], list[int], int]]:
    """Both segments of each row as they were before masking, and whether the pair is spoilt."""
    rows = torch.where(batch["labels"] == IGNORED, batch["input_ids"], batch["labels"])
    found = []
    for row, mask, types, spoilt in zip(
        rows, batch["attention_mask"], batch["token_type_ids"], batch["spoilt"], strict=True
    ):
        ids, types = row[mask.bool()].tolist(), types[mask.bool()].tolist()
        middle = ids.index(SPECIAL.sep)
        assert (ids[0], ids[-1], ids.count(SPECIAL.sep)) == (SPECIAL.cls, SPECIAL.sep, 2)
        assert types == [0] * (middle + 1) + [1] * (len(ids) - middle - 1)
        found.append((ids[1:middle], ids[middle + 1 : -1], int(spoilt)))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_that_are_not_spoilt_follow_one_another(kind):
    lengths = (16, 20, 21, 30, 200, 17)
    spoilt = 0
    for seed in range(20):
        for first, second, bad in pairs(objective(kind).collate(documents(*lengths), np.random.default_rng(seed))):
            spoilt += bad
            assert (second[0] == first[-1] + 1) == (not bad)
            assert min(len(first), len(second)) >= 4
            assert len(first) + len(second) <= 21
    assert 40 <= spoilt <= 80, "half of 120"


def test_swapped_pairs_are_the_same_two_segments():
    for first, second, bad in pairs(
        objective(SentenceOrder).collate(documents(40, 50, 60, 70), np.random.default_rng(1))
    ):
        assert first[0] // 1000 == second[0] // 1000
        assert not bad or first[0] == second[-1] + 1


def test_foreign_segments_are_of_another_document():
    for first, second, bad in pairs(
        objective(NextSentence).collate(documents(40, 50, 60, 70), np.random.default_rng(1))
    ):
        assert (first[0] // 1000 == second[0] // 1000) == (not bad)


def test_one_document_has_no_foreign_segment():
    for seed in range(8):
        batch = objective(NextSentence).collate(documents(40), np.random.default_rng(seed))
        assert batch["spoilt"].tolist() == [0]


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_do_not_tell_which_pairs_are_spoilt(kind):
    """As a first version did, whose first segment was never the longer one."""
    found = [
        one
        for seed in range(60)
        for one in pairs(objective(kind).collate(documents(*[45] * 32), np.random.default_rng(seed)))
    ]
    lengths = {bad: [len(first) for first, _, spoilt in found if spoilt == bad] for bad in (0, 1)}
    totals = {len(first) + len(second) for first, second, _ in found}
    assert totals == {21}
    assert np.mean(lengths[0]) == pytest.approx(np.mean(lengths[1]), abs=0.5)
    assert set(lengths[0]) == set(lengths[1])


@pytest.mark.parametrize("kind", KINDS)
def test_all_randomness_comes_from_the_generator(kind):
    one, same, other = (objective(kind).collate(documents(40, 50), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["input_ids"], other["input_ids"])


@pytest.mark.parametrize(
    ("kind", "name", "golden"), [(NextSentence, "next_sentence", 4.1248), (SentenceOrder, "sentence_order", 4.1239)]
)
def test_loss_is_that_of_transformers_and_stays_what_it_was(network, counting, kind, name, golden):
    model = network("bert", name)
    task = kind(counting.special, ordinary=counting.ordinary, mask_share=0.15, max_seq_length=24)
    batch = task.collate(list(counting.blocks(6, 0, 40).astype(np.int64)), np.random.default_rng(0))
    inputs = {one: batch[one] for one in ("input_ids", "attention_mask", "token_type_ids", "labels")}
    loss = task.loss(model, batch)
    torch.testing.assert_close(loss, model(**inputs, next_sentence_label=batch["spoilt"]).loss)
    assert loss.item() == pytest.approx(golden, abs=1e-3)
    metrics = task.metrics(task.sums(model, batch))
    assert metrics["loss"] + metrics["pair_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_context_is_learnt(network, learn, counting):
    task = NextSentence(counting.special, ordinary=counting.ordinary, mask_share=0.15, max_seq_length=24)
    rows = lambda seed: list(counting.blocks(32, seed, 40).astype(np.int64))  # noqa: E731
    metrics = learn(network("bert", "next_sentence").train(), task, 100, rows, 1e-3)
    assert metrics["loss"] < counting.entropy
