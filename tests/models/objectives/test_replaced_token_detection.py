"""Both losses are those of `transformers` on what was drawn; draws follow the generator's distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import ElectraForMaskedLM

from models.electra import generator_config
from models.objectives.masked_lm import IGNORED
from models.objectives.replaced_token_detection import ReplacedTokenDetection, drawn_tokens


def objective(counting, weight: float = 50.0) -> ReplacedTokenDetection:
    return ReplacedTokenDetection(counting.special, ordinary=counting.ordinary, weight=weight)


@pytest.fixture
def model(network):
    return network("electra", "replaced_token_detection")


def spoilt_of(model, batch):
    """The text with the generator's tokens, one position after the other."""
    logits = model.generator(input_ids=batch["input_ids"]).logits.double().softmax(-1)
    spoilt = batch["input_ids"].clone()
    for row, column in (batch["labels"] != IGNORED).nonzero().tolist():
        reached = logits[row, column].cumsum(0)
        spoilt[row, column] = int((reached <= batch["draws"][row, column]).sum())
    original = torch.where(batch["labels"] == IGNORED, batch["input_ids"], batch["labels"])
    return spoilt, (spoilt != original).long()


def test_loss_is_the_weighted_sum_of_those_of_transformers(model, counting):
    batch = objective(counting).collate(counting.blocks(6, 0), np.random.default_rng(0))
    spoilt, replaced = spoilt_of(model, batch)
    generator = model.generator(input_ids=batch["input_ids"], labels=batch["labels"]).loss
    detector = model(input_ids=spoilt, labels=replaced).loss
    assert 0 < replaced.sum() < (batch["labels"] != IGNORED).sum() + 1
    for weight in (0.0, 1.0, 50.0):
        torch.testing.assert_close(objective(counting, weight).loss(model, batch), generator + weight * detector)
    task = objective(counting)
    metrics = task.metrics(task.sums(model, batch))
    assert metrics["generator_loss"] == pytest.approx(generator.item(), rel=1e-5)
    assert metrics["detection_loss"] == pytest.approx(detector.item(), rel=1e-5)
    assert metrics["loss"] == pytest.approx(task.loss(model, batch).item(), rel=1e-5)
    assert metrics["replaced_share"] == pytest.approx(replaced.float().mean().item())
    assert metrics["loss"] == pytest.approx(38.4489, abs=1e-2)


def test_only_chosen_places_are_masked_and_every_token_is_judged(model, counting):
    rows = counting.blocks(200, 1)
    batch = objective(counting).collate(rows, np.random.default_rng(0))
    chosen = (batch["labels"] != IGNORED).numpy()
    assert chosen.mean() == pytest.approx(0.15, abs=0.01)
    assert (batch["input_ids"].numpy()[chosen] == counting.special.mask).all()
    assert (batch["input_ids"].numpy()[~chosen] == rows[~chosen]).all()
    assert objective(counting).sums(model, batch)["tokens"] == rows.size


def test_draws_follow_the_distribution():
    logits = torch.tensor([0.0, 2.0, -50.0, 1.0])
    drawn = drawn_tokens(logits.expand(20_000, 4), torch.from_numpy(np.random.default_rng(0).random(20_000)))
    shares = torch.bincount(drawn, minlength=4) / 20_000
    torch.testing.assert_close(shares, logits.softmax(0), atol=0.01, rtol=0)
    edges = drawn_tokens(logits.expand(2, 4), torch.tensor([0.0, np.nextafter(1.0, 0.0)]).double())
    assert edges.tolist() == [0, 3]


def test_everything_random_is_in_the_batch(model, counting):
    task = objective(counting)
    one, same, other = (task.collate(counting.blocks(6, 0), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    torch.manual_seed(1)
    first = task.loss(model, one)
    torch.manual_seed(2)
    assert torch.equal(task.loss(model, same), first)
    assert not torch.equal(task.loss(model, other), first)


def test_the_detector_does_not_teach_the_generator(model, counting):
    """What it draws has no gradient: without its own loss the generator's body stands still."""
    batch = objective(counting).collate(counting.blocks(4, 0), np.random.default_rng(0))
    with_detector, without = (
        torch.autograd.grad(
            objective(counting, weight).loss(model, batch), model.generator.generator_predictions.dense.weight
        )[0]
        for weight in (50.0, 0.0)
    )
    torch.testing.assert_close(with_detector, without)


def test_the_generator_learns(model, learn, counting):
    """Rows keep to a third of the words each."""

    def rows(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return 5 + 8 * rng.integers(0, 3, (32, 1)) + rng.integers(0, 8, (32, 24))

    metrics = learn(model.train(), objective(counting, 0.0), 100, rows, 2e-3)
    assert metrics["generator_loss"] < counting.entropy * 0.8


def test_the_detector_learns(model, learn, counting):
    """The text has a third of the words; a generator that knows and learns nothing draws the others as often."""
    model.generator = ElectraForMaskedLM(generator_config(model.config, 0.25)).requires_grad_(False)
    metrics = learn(model.train(), objective(counting), 60, lambda seed: counting.blocks(32, seed) % 8 + 5, 1e-3)
    share = torch.tensor([metrics["replaced_share"]])
    assert metrics["detection_loss"] < functional.binary_cross_entropy(share, share).item() / 1.5
    assert metrics["replaced_found"] > 0.5
