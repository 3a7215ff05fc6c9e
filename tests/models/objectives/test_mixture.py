"""A batch is learned as its own objective would learn it, and totals of several objectives do not mix."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.architectures import Special, build_config, language_model
from models.fitting import network_of
from models.objectives.masked_lm import MaskedLM
from models.objectives.mixture import PART, Mixture, marked
from models.objectives.sentence_order import SentenceOrder

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)
MASKED = MaskedLM(SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5)
ORDER = SentenceOrder(SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5, mask_share=0.15, max_seq_length=16)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = build_config("bert", "nano", SPECIAL, max_positions=16, dropout=0.0)
    return language_model(network_of(["masked_lm", "sentence_order"]), config).eval()


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    rows = rng.integers(5, 64, (6, 16))
    documents = [rng.integers(5, 64, 20) for _ in range(6)]
    return [MASKED.collate(rows, rng), ORDER.collate(documents, rng)]


def test_loss_and_counts_are_those_of_the_batchs_own_objective(model, batches):
    mixture = Mixture({"": MASKED, "order": ORDER})
    for number, (own, batch) in enumerate(zip((MASKED, ORDER), batches, strict=True)):
        assert mixture.loss(model, marked(batch, number)).item() == own.loss(model, batch).item()
        assert mixture.counts(marked(batch, number)) == own.counts(batch)


def test_a_part_of_a_batch_still_knows_its_objective(model, batches):
    whole = marked(batches[1], 1)
    part = {name: tensor[2:4] for name, tensor in whole.items()}
    assert Mixture({"": MASKED, "order": ORDER}).counts(part)["pairs"] == 2
    assert PART not in batches[1]


def test_metrics_of_the_first_keep_their_names_and_others_get_theirs(model, batches):
    mixture = Mixture({"": MASKED, "order": ORDER, "replay": MASKED})
    totals = {}
    for number in range(3):
        for name, value in mixture.sums(model, marked(batches[number % 2], number)).items():
            totals[name] = totals.get(name, 0.0) + value
    metrics = mixture.metrics(totals)
    first, second = MASKED.metrics(MASKED.sums(model, batches[0])), ORDER.metrics(ORDER.sums(model, batches[1]))
    assert {name: metrics[name] for name in first} == first
    assert {name: metrics[f"order_{name}"] for name in second} == second
    assert {name: metrics[f"replay_{name}"] for name in first} == first
    assert len(metrics) == 2 * len(first) + len(second)


def test_a_part_without_totals_has_no_metrics(model, batches):
    mixture = Mixture({"": MASKED, "order": ORDER})
    assert mixture.metrics(mixture.sums(model, marked(batches[0], 0))).keys() == {"loss", "perplexity", "accuracy"}


def test_a_bare_collation_is_of_the_first():
    batch = Mixture({"": MASKED, "order": ORDER}).collate(np.full((2, 16), 7), np.random.default_rng(0))
    assert batch[PART].tolist() == [0, 0]
