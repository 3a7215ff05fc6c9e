"""The bigram model against sums over the whole vocabulary."""

import numpy as np
import pytest

from lmforge.errors import InputError
from lmforge.evaluation.ngram import BigramModel

VOCAB = 40


def corpus(num_blocks=300, length=12, seed=0):
    """A chain in which every token has a favourite successor, with Zipf noise, so that counts of 1, 2, 3, 4 occur."""
    generator = np.random.default_rng(seed)
    shares = 1 / np.arange(1, VOCAB + 1)
    tokens = generator.choice(VOCAB, size=(num_blocks, length), p=shares / shares.sum())
    follow = generator.random(tokens.shape) < 0.5
    for column in range(1, length):
        tokens[:, column] = np.where(follow[:, column], (tokens[:, column - 1] * 7 + 1) % VOCAB, tokens[:, column])
    return tokens.astype(np.uint16)


@pytest.fixture(scope="module")
def model():
    return BigramModel.fit(corpus(), VOCAB)


def table(model):
    left, following = np.divmod(np.arange(VOCAB**2), VOCAB)
    return model.probability(left, following).reshape(VOCAB, VOCAB)


@pytest.mark.parametrize("num_blocks", [1, 300])
def test_probabilities_sum_to_one_and_are_positive(num_blocks):
    fitted = BigramModel.fit(corpus(num_blocks), VOCAB)
    np.testing.assert_allclose(table(fitted).sum(axis=1), 1.0, atol=1e-12)
    assert table(fitted).min() > 0
    assert fitted.unigram.sum() == pytest.approx(1.0)
    assert fitted.continuation.sum() == pytest.approx(1.0)


def test_probability_is_the_published_formula_computed_by_hand():
    # Pairs: 0-1 three times, 0-2 once, 1-0 twice, 2-0 once; n1 = 2, n2 = 1, n3 = 1, n4 = 0, so Y = 2 / (2 + 2) = 1/2.
    blocks = np.array([[0, 1], [0, 1], [0, 1], [0, 2], [1, 0], [1, 0], [2, 0]])
    fitted = BigramModel.fit(blocks, 4)
    d1, d2, d3 = 1 - 2 * 0.5 * 1 / 2, 2 - 3 * 0.5 * 1 / 1, 3 - 0.0
    # Distinct left neighbours: 0 has 2, 1 and 2 have 1, 3 has 0; n3 of these is 0, so the fallback 0.5, 1 holds.
    continuation = np.array([1.0, 0.5, 0.5, 0.0]) / 4 + 0.5 / 4
    np.testing.assert_allclose(fitted.continuation, continuation)
    from_0 = np.array([0, 3 - d3, 1 - d1, 0]) / 4 + (d3 + d1) / 4 * continuation
    from_1 = np.array([2 - d2, 0, 0, 0]) / 2 + d2 / 2 * continuation
    np.testing.assert_allclose(table_of(fitted, 4), [from_0, from_1, table_of(fitted, 4)[2], continuation])


def table_of(fitted, size):
    left, following = np.divmod(np.arange(size**2), size)
    return fitted.probability(left, following).reshape(size, size)


def test_causal_loss_is_the_mean_over_all_but_the_first_tokens(model):
    held_out, p = corpus(20, seed=1), table(model)
    expected = -np.mean([np.log(p[b[i - 1], b[i]]) for b in held_out for i in range(1, len(b))])
    assert model.causal_loss(held_out) == pytest.approx(expected)


@pytest.mark.parametrize("special_ids", [(), (0, 5)])
@pytest.mark.parametrize("share", [0.15, 0.6, 1.0])
def test_masked_loss_is_the_enumerated_posterior(model, special_ids, share):
    held_out, p = corpus(20, seed=2), table(model)
    mask = np.random.default_rng(3).random(held_out.shape) < share
    hidden = mask & ~np.isin(held_out, special_ids)
    losses = []
    for row, column in zip(*np.nonzero(hidden), strict=True):
        block = held_out[row]
        joint = model.unigram if column == 0 or hidden[row, column - 1] else p[block[column - 1]]
        if column + 1 < len(block) and not hidden[row, column + 1]:
            joint = joint * p[:, block[column + 1]]
        possible = np.delete(joint, list(special_ids))
        losses.append(-np.log(joint[block[column]] / possible.sum()))
    assert model.masked_loss(held_out, mask, special_ids) == pytest.approx(np.mean(losses))


def test_context_helps_and_two_neighbours_help_more(model):
    held_out = corpus(200, seed=4)
    mask = np.zeros(held_out.shape, dtype=bool)
    mask[:, 3::4] = True
    alone = model.unigram_loss(held_out, mask)
    one_sided = -np.log(model.probability(held_out[:, :-1][mask[:, 1:]], held_out[mask])).mean()
    assert model.masked_loss(held_out, mask) < one_sided < alone
    assert model.causal_loss(held_out) < model.unigram_loss(held_out)


def test_unigram_loss_scores_the_tokens_of_the_others(model):
    held_out = corpus(20, seed=5)
    assert model.unigram_loss(held_out) == pytest.approx(-np.log(model.unigram[held_out[:, 1:]]).mean())
    mask = held_out > 3
    expected = np.log(1 - model.unigram[[0, 1]].sum()) - np.log(model.unigram[held_out[mask]]).mean()
    assert model.unigram_loss(held_out, mask, (0, 1)) == pytest.approx(expected)


def test_chunks_change_nothing(model, monkeypatch):
    held_out = corpus(50, seed=6)
    mask = np.random.default_rng(0).random(held_out.shape) < 0.3
    whole = model.causal_loss(held_out), model.masked_loss(held_out, mask), BigramModel.fit(held_out, VOCAB).escape
    monkeypatch.setattr("lmforge.evaluation.ngram.FIT_TOKENS", 30)
    monkeypatch.setattr("lmforge.evaluation.ngram.SCORE_POSITIONS", 7)
    assert (model.causal_loss(held_out), model.masked_loss(held_out, mask)) == pytest.approx(whole[:2])
    np.testing.assert_allclose(BigramModel.fit(held_out, VOCAB).escape, whole[2])


def test_uniform_text_costs_the_logarithm_of_the_vocabulary():
    blocks = np.random.default_rng(0).integers(0, VOCAB, (2000, 20))
    fitted = BigramModel.fit(blocks, VOCAB)
    assert fitted.unigram_loss(blocks) == pytest.approx(np.log(VOCAB), rel=0.01)
    assert fitted.causal_loss(blocks) == pytest.approx(np.log(VOCAB), rel=0.02)


@pytest.mark.parametrize("blocks", [np.zeros((0, 8), int), np.zeros((3, 1), int), np.zeros(8, int)])
def test_blocks_without_pairs_are_refused(blocks):
    with pytest.raises(InputError, match="shape"):
        BigramModel.fit(blocks, VOCAB)


def test_id_beyond_the_vocabulary_is_named():
    with pytest.raises(InputError, match="token id 40 "):
        BigramModel.fit(np.array([[1, 40]]), VOCAB)


def test_mask_must_hide_something_and_fit(model):
    with pytest.raises(InputError, match="hides none of 3 tokens"):
        model.masked_loss(np.array([[0, 1, 0]]), np.array([[True, False, True]]), (0,))
    with pytest.raises(InputError, match="must be equal"):
        model.masked_loss(np.array([[0, 1, 0]]), np.array([[True]]))
