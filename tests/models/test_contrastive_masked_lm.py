"""Halves of documents, their masks, and the contrast between them."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.architectures import Special, build_config, language_model
from models.objectives.contrastive_masked_lm import ContrastiveMaskedLM
from models.objectives.masked_lm import IGNORED

VOCABULARY = 200
SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=VOCABULARY)


def objective(weight=1.0, mask_share=0.2, max_seq_length=12):
    return ContrastiveMaskedLM(
        SPECIAL,
        ordinary=np.arange(SPECIAL.vocab_size) >= 5,
        mask_share=mask_share,
        max_seq_length=max_seq_length,
        temperature=0.07,
        weight=weight,
    )


def documents(*lengths):
    """Documents whose ids count up, so that a half shows where it was cut."""
    return [np.arange(5, 5 + length, dtype=np.int64) for length in lengths]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = build_config("modernbert", "nano", SPECIAL, max_positions=64, dropout=0.0)
    return language_model("masked_lm", config).eval()


def unmasked(batch):
    return torch.where(batch["labels"] == IGNORED, batch["input_ids"], batch["labels"])


def test_second_half_follows_the_first_and_both_have_borders():
    rows = unmasked(objective().collate(documents(16, 20), np.random.default_rng(0)))
    assert rows.shape == (4, 12)
    for first, second, length in ((rows[0], rows[2], 16), (rows[1], rows[3], 20)):
        assert first[0] == second[0] == SPECIAL.cls
        inner = [row[1 : 1 + length // 2] for row in (first, second)]
        assert torch.cat(inner).tolist() == list(range(5, 5 + length))
        assert first[1 + length // 2] == SPECIAL.sep


def test_long_documents_give_windows_from_anywhere():
    starts = set()
    for seed in range(30):
        rows = unmasked(objective().collate(documents(100), np.random.default_rng(seed)))
        assert rows.shape == (2, 12)
        assert rows[1, 1] == rows[0, 10] + 1
        starts.add(int(rows[0, 1]))
    assert len(starts) > 10
    assert min(starts) >= 5
    assert max(starts) <= 5 + 100 - 20


def test_padding_and_borders_are_never_masked_and_padding_is_not_attended():
    batch = objective(mask_share=0.9).collate(documents(16, 20, 19), np.random.default_rng(1))
    rows = unmasked(batch)
    assert (rows[batch["labels"] != IGNORED] >= 5).all()
    assert ((rows != SPECIAL.pad) == batch["attention_mask"].bool()).all()


def test_all_randomness_comes_from_the_generator():
    one, same, other = (objective().collate(documents(40, 50), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["input_ids"], other["input_ids"])


def test_loss_is_masked_loss_plus_weighted_contrast(model):
    batch = objective().collate(documents(40, 50, 60, 30), np.random.default_rng(3))
    output = model(**batch, output_hidden_states=True)
    hidden, mask = output.hidden_states[-1], batch["attention_mask"].unsqueeze(-1)
    means = functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    similarity = means[:4] @ means[4:].T / 0.07
    forward, backward = (-torch.log_softmax(table, 1).diagonal().mean() for table in (similarity, similarity.T))
    for weight in (0.0, 1.0, 2.5):
        expected = output.loss + weight * (forward + backward) / 2
        torch.testing.assert_close(objective(weight).loss(model, batch), expected)


def test_validation_loss_is_that_of_the_masked_tokens_alone(model):
    batch = objective().collate(documents(40, 50, 60, 30), np.random.default_rng(3))
    metrics = objective().metrics(objective().sums(model, batch))
    assert metrics["loss"] == pytest.approx(model(**batch).loss.item(), rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(math.exp(metrics["loss"]))
    assert metrics["contrastive_accuracy"] in (0.0, 0.25, 0.5, 0.75, 1.0)
    assert metrics["contrastive_loss"] > 0


def test_halves_of_one_document_are_told_apart_after_training(model):
    torch.manual_seed(0)
    config = build_config("modernbert", "nano", SPECIAL, max_positions=64, dropout=0.0)
    learner, task = language_model("masked_lm", config), objective()
    rng = np.random.default_rng(0)
    topics = [rng.integers(5 + 24 * topic, 29 + 24 * topic, (20, 24)) for topic in range(8)]
    optimizer = torch.optim.AdamW(learner.parameters(), lr=2e-3)
    for step in range(40):
        batch = task.collate([topic[step % 20] for topic in topics], np.random.default_rng(step))
        optimizer.zero_grad()
        task.loss(learner, batch).backward()
        optimizer.step()
    fresh = task.collate([rng.integers(5 + 24 * topic, 29 + 24 * topic, 24) for topic in range(8)], rng)
    metrics = task.metrics(task.sums(learner.eval(), fresh))
    before = task.metrics(task.sums(model, fresh))
    assert metrics["contrastive_accuracy"] >= 0.75
    assert metrics["contrastive_loss"] < before["contrastive_loss"] / 2
