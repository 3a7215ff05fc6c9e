"""The loss of an output layer without all of its logits: value and gradients are those of the logits."""

import pytest
import torch
from torch.nn import functional

from models.cross_entropy import chunks, linear_cross_entropy

NUM, HIDDEN, VOCAB = 2100, 16, 50


def chunked(features, weight, bias, targets, divisor=1):
    """In more than two chunks."""
    return linear_cross_entropy(features, weight, bias, targets, divisor, logits_at_once=VOCAB << 10)


@pytest.fixture
def given() -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(*shape).requires_grad_() for shape in ((NUM, HIDDEN), (VOCAB, HIDDEN), (VOCAB,))]


@pytest.fixture
def targets() -> torch.Tensor:
    return torch.randint(0, VOCAB, (NUM,), generator=torch.Generator().manual_seed(1))


def usual(features, weight, bias, targets, divisor):
    return functional.cross_entropy(functional.linear(features, weight, bias), targets, reduction="sum") / divisor


@pytest.mark.parametrize("divisor", [1, 7])
@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_value_and_gradients_are_those_of_the_logits(given, targets, divisor, factor):
    ours, expected = chunked(*given, targets, divisor), usual(*given, targets, divisor)
    torch.testing.assert_close(ours, expected)
    theirs = torch.autograd.grad(expected * factor, given)
    for one, other in zip(torch.autograd.grad(ours * factor, given), theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("learned", range(3))
def test_what_does_not_learn_gets_no_gradient(given, targets, learned):
    for index, one in enumerate(given):
        one.requires_grad_(index == learned)
    chunked(*given, targets).backward()
    assert [one.grad is not None for one in given] == [index == learned for index in range(3)]
    (expected,) = torch.autograd.grad(usual(*given, targets, 1), given[learned])
    torch.testing.assert_close(given[learned].grad, expected, rtol=1e-4, atol=1e-4)


def test_without_a_bias(given, targets):
    features, weight, _ = given
    ours, expected = chunked(features, weight, None, targets), usual(features, weight, None, targets, 1)
    torch.testing.assert_close(ours, expected)
    theirs = torch.autograd.grad(expected, (features, weight))
    for one, other in zip(torch.autograd.grad(ours, (features, weight)), theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_target_too_improbable_for_a_number_has_its_loss(given, targets):
    features, _, bias = given
    with torch.no_grad():
        bias[3] = -500.0
        targets[[0, 1500]] = 3
    ours, expected = chunked(*given, targets), usual(*given, targets, 1)
    assert expected.isfinite()
    torch.testing.assert_close(ours, expected)
    (found,), (wanted,) = torch.autograd.grad(ours, features), torch.autograd.grad(expected, features)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_what_is_not_a_number_stays_so(given, targets):
    features = given[0]
    with torch.no_grad():
        features[5, 0] = float("nan")
    loss = chunked(*given, targets)
    loss.backward()
    assert loss.isnan()
    assert features.grad[5].isnan().all()
    assert features.grad[6].isfinite().all()


def test_half_precision_weights_sum_in_wider_numbers(given, targets):
    half = [one.detach().bfloat16().requires_grad_() for one in given]
    ours, expected = chunked(*half, targets), usual(*[one.float() for one in half], targets, 1)
    assert ours.item() == pytest.approx(expected.item(), rel=0.01)
    ours.backward()
    assert all(one.grad.dtype == torch.bfloat16 for one in half)


def test_gradients_are_handed_on_once_and_not_copied(given, targets):
    loss = chunked(*given, targets)
    made = loss.grad_fn.gradients[1].data_ptr()
    loss.backward(retain_graph=True)
    assert given[1].grad.data_ptr() == made
    with pytest.raises(RuntimeError, match="compute the loss again"):
        loss.backward()


@pytest.mark.parametrize("number", [0, 1, 1024, 1025, 5000])
def test_chunks_are_equal_and_cover_all(number):
    sizes = [len(range(*part.indices(number))) for part in chunks(number, VOCAB, VOCAB << 10)]
    assert sum(sizes) == number
    assert not sizes or max(sizes) - min(sizes) < len(sizes)


def test_a_large_vocabulary_has_small_chunks():
    assert [part.stop for part in chunks(4, vocab_size=8, logits_at_once=16)] == [2, 4]
    assert [part.stop for part in chunks(2, vocab_size=32, logits_at_once=16)] == [1, 2]
