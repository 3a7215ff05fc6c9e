"""The posterior of whole distributions, which a single loss would not show, and of more positions than fit at once."""

import numpy as np
import pytest

from lmforge.evaluation.ngram import NgramModel
from lmforge.evaluation.ngram_posterior import CHUNK_VALUES, Posterior
from lmforge.evaluation.ngram_words import Windows

START, VOCAB, LENGTH = 0, 30, 20


@pytest.fixture(scope="module")
def tokens(stream):
    return stream()


@pytest.fixture(scope="module")
def model(tokens):
    return NgramModel.fit(tokens.reshape(-1, LENGTH), VOCAB, START, order=4)


def posterior(levels, left, right, special_ids=()):
    """p(word | left, right) of each word; both sides nearest first."""
    width = len(levels) - 1
    sides = [np.tile([*side, *[-1] * (width - len(side))], (VOCAB, 1)).astype(np.int64) for side in (left, right)]
    return np.exp(-Posterior(levels, list(special_ids)).losses(Windows(*sides), np.arange(VOCAB)))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((), ()),
        ((3,), ()),
        ((), (4,)),
        ((START,), (4, 2)),
        ((3, 11), (4, START)),
        ((3, 11, 1), (4, 2, 7)),
        ((8, START), (1, 1, 1)),
        ((29, 28, 29), (29, 28, 29)),
    ],
)
def test_distribution_is_the_product_over_the_vocabulary(model, plain, tokens, left, right):
    expected = plain(tokens, VOCAB, 4).posterior(left[::-1], right)
    np.testing.assert_allclose(posterior(model.levels, left, right), expected, rtol=2e-5)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_distributions_sum_to_one(model, order):
    for left, right in [((), ()), ((3, 2, 5), (1, 6, 2)), ((START,), (9,)), ((4,), (START,))]:
        found = posterior(model.levels[:order], left[: order - 1], right[: order - 1])
        assert found.sum() == pytest.approx(1.0, rel=1e-9)
        assert found.min() > 0


def test_special_words_are_no_answer(model):
    everything, ordinary = posterior(model.levels, (3,), (4,)), np.ones(VOCAB, dtype=bool)
    ordinary[[START, 7]] = False
    with np.errstate(divide="ignore"):
        found = posterior(model.levels, (3,), (4,), [START, 7])
    assert found[[START, 7]].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(found[ordinary], everything[ordinary] / everything[ordinary].sum())


def test_a_position_does_not_depend_on_those_beside_it(tokens):
    large = 60_000
    model = NgramModel.fit(tokens.reshape(-1, LENGTH), large, START, order=3)
    blocks = tokens[:400].reshape(-1, LENGTH)
    mask = np.random.default_rng(0).random(blocks.shape) < 0.2
    windows = Windows.around(np.where(mask, -1, blocks.astype(np.int64)), mask, 2, START)
    targets, asked = blocks[mask].astype(np.int64), Posterior(model.levels, [])
    assert len(targets) > 2 * (CHUNK_VALUES // large)
    alone = [
        asked.losses(Windows(windows.left[[at]], windows.right[[at]]), targets[[at]])[0] for at in range(len(targets))
    ]
    np.testing.assert_allclose(asked.losses(windows, targets), alone, rtol=1e-12)
