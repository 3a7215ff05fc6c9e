"""Losses equal those of `transformers`; masks follow Devlin et al. 2019; padding changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.architectures import Special, build_config, classifier, language_model
from models.objectives.base import perplexity
from models.objectives.causal_lm import CausalLM
from models.objectives.masked_lm import IGNORED, MaskedLM
from models.objectives.sequence_classification import Example, SequenceClassification

VOCABULARY = 200
SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=VOCABULARY)
MASKED = MaskedLM(SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5)


def config_of(architecture: str):
    return build_config(architecture, "nano", SPECIAL, max_positions=64, dropout=0.0)


def blocks(count: int = 6, length: int = 24, lowest: int = 0) -> np.ndarray:
    return np.random.default_rng(7).integers(lowest, VOCABULARY, (count, length)).astype(np.uint16)


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
def test_masked_loss_equals_that_of_transformers(architecture):
    model = language_model("masked_lm", config_of(architecture)).eval()
    batch = MASKED.collate(blocks(), np.random.default_rng(0))
    expected = model(input_ids=batch["input_ids"], labels=batch["labels"]).loss
    torch.testing.assert_close(MASKED.loss(model, batch), expected)
    sums = MASKED.sums(model, batch)
    assert sums["loss"] / sums["count"] == pytest.approx(expected.item(), rel=1e-5)
    assert sums["count"] == (batch["labels"] != IGNORED).sum()


def test_causal_loss_equals_that_of_transformers():
    model = language_model("causal_lm", config_of("gpt2")).eval()
    batch = CausalLM().collate(blocks(), np.random.default_rng(0))
    expected = model(input_ids=batch["input_ids"], labels=batch["input_ids"]).loss
    torch.testing.assert_close(CausalLM().loss(model, batch), expected)
    sums = CausalLM().sums(model, batch)
    assert sums["count"] == 6 * 23
    assert CausalLM().metrics(sums)["perplexity"] == pytest.approx(math.exp(expected.item()), rel=1e-4)


@pytest.mark.parametrize("architecture", ["bert", "modernbert", "gpt2"])
def test_classification_loss_equals_that_of_transformers_and_ignores_padding(architecture):
    model = classifier(["a", "b", "c"], config=config_of(architecture)).eval()
    objective = SequenceClassification(pad=0)
    lengths = (4, 9, 16, 24)
    rows = [Example(row[:end].astype(np.int64), end % 3) for row, end in zip(blocks(4, 24, 5), lengths, strict=True)]
    batch = objective.collate(rows)
    output = model(**batch)
    torch.testing.assert_close(objective.loss(model, batch), output.loss)
    alone = torch.cat([model(input_ids=torch.from_numpy(row.input_ids)[None]).logits for row in rows])
    torch.testing.assert_close(output.logits, alone, atol=1e-5, rtol=1e-4)
    totals = objective.sums(model, batch)
    assert objective.metrics(totals)["accuracy"] == (alone.argmax(-1) == batch["labels"]).float().mean()


def test_shares_of_masking():
    ids = blocks(400, 128)
    batch = MASKED.collate(ids, np.random.default_rng(1))
    original, shown, labels = ids.astype(np.int64), batch["input_ids"].numpy(), batch["labels"].numpy()
    chosen = labels != IGNORED
    assert (labels[chosen] == original[chosen]).all()
    assert (original[chosen] >= 5).all()
    assert (shown[~chosen] == original[~chosen]).all()
    assert chosen.sum() / (original >= 5).sum() == pytest.approx(0.15, abs=0.005)
    masked, kept = shown[chosen] == SPECIAL.mask, shown[chosen] == original[chosen]
    assert masked.mean() == pytest.approx(0.8, abs=0.015)
    assert kept.mean() == pytest.approx(0.1 + 0.1 / (VOCABULARY - 5), abs=0.01)
    assert shown[chosen].min() >= SPECIAL.mask
    assert shown.max() < VOCABULARY


def test_masks_depend_on_the_generator_alone():
    first, same, other = (MASKED.collate(blocks(), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first["labels"], same["labels"])
    assert torch.equal(first["input_ids"], same["input_ids"])
    assert not torch.equal(first["labels"], other["labels"])


def test_batch_without_a_chosen_position_has_no_loss_and_no_gradient():
    model = language_model("masked_lm", config_of("bert"))
    batch = MASKED.collate(np.full((1, 8), SPECIAL.sep, dtype=np.uint16), np.random.default_rng(0))
    loss = MASKED.loss(model, batch)
    loss.backward()
    assert loss.item() == 0
    assert all(weight.grad is None or not weight.grad.any() for weight in model.parameters())


def test_perplexity_of_a_diverged_model_is_infinite():
    assert perplexity(0.0) == 1
    assert perplexity(math.log(50)) == pytest.approx(50)
    assert perplexity(1e6) == math.inf
    assert math.isnan(perplexity(math.nan)) or perplexity(math.nan) == math.inf
