"""Heads: the loss without all logits equals the loss of the logits, for every architecture."""

import pytest
import torch
from torch.nn import functional

from models.architectures import Special, build_config, language_model
from models.heads import prediction_head

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=90)
NUM = 1100
OBJECTIVES = {
    "bert": "masked_lm",
    "modernbert": "masked_lm",
    "electra": "masked_lm",
    "gpt2": "causal_lm",
    "llama": "causal_lm",
    "t5": "span_corruption",
    "bart": "denoising",
}


@pytest.fixture(params=OBJECTIVES)
def model(request: pytest.FixtureRequest) -> torch.nn.Module:
    torch.manual_seed(0)
    config = build_config(request.param, "nano", SPECIAL, max_positions=32, dropout=0.0)
    return language_model(OBJECTIVES[request.param], config).eval()


@pytest.fixture
def hidden(model: torch.nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(NUM, 128, generator=generator).requires_grad_()


@pytest.fixture
def targets() -> torch.Tensor:
    return torch.randint(0, 90, (NUM,), generator=torch.Generator().manual_seed(2))


def test_logits_are_those_of_transformers(model):
    ids = torch.randint(5, 90, (2, 8), generator=torch.Generator().manual_seed(3))
    if model.config.is_encoder_decoder:
        encoded = model.get_encoder()(input_ids=ids).last_hidden_state
        hidden = model.get_decoder()(input_ids=ids, encoder_hidden_states=encoded).last_hidden_state
        expected = model(input_ids=ids, decoder_input_ids=ids).logits
    else:
        hidden, expected = model.base_model(input_ids=ids).last_hidden_state, model(input_ids=ids).logits
    torch.testing.assert_close(prediction_head(model)(hidden), expected)


def test_loss_and_gradients_equal_those_of_the_logits(model, hidden, targets):
    head = prediction_head(model)
    weights = [hidden, head.weight]
    plain = functional.cross_entropy(head(hidden), targets, reduction="sum")
    expected = torch.autograd.grad(plain, weights)
    chunked = head.loss(hidden, targets)
    torch.testing.assert_close(chunked, plain, rtol=1e-5, atol=1e-4)
    for ours, theirs in zip(torch.autograd.grad(chunked, weights), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_sums_add_up_over_chunks(model, hidden, targets):
    head = prediction_head(model)
    with torch.inference_mode():
        sums = head.sums(hidden, targets)
        logits = head(hidden)
    assert sums["count"] == NUM
    assert sums["correct"] == int((logits.argmax(-1) == targets).sum())
    assert sums["loss"] == pytest.approx(functional.cross_entropy(logits, targets, reduction="sum").item(), rel=1e-5)


def test_nothing_to_predict_costs_nothing(model, hidden, targets):
    loss = prediction_head(model).loss(hidden[:0], targets[:0])
    loss.backward()
    assert loss.item() == 0


def test_mixed_precision_does_not_change_the_loss_much(model, hidden, targets):
    head = prediction_head(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = head.loss(hidden, targets)
    assert mixed.item() == pytest.approx(head.loss(hidden, targets).item(), rel=0.02)
