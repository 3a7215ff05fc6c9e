"""The n-gram model against the same model in plain Python, and against sums over the whole vocabulary."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.evaluation.ngram import NgramModel

START, VOCAB, LENGTH = 0, 30, 20


def blocks_of(stream):
    return stream[: len(stream) // LENGTH * LENGTH].reshape(-1, LENGTH)


@pytest.fixture(scope="module")
def blocks(stream):
    return blocks_of(stream())


@pytest.fixture(scope="module")
def held_out(stream):
    return blocks_of(stream(600, seed=1))


@pytest.fixture(scope="module")
def model(blocks):
    return NgramModel.fit(blocks, VOCAB, START, order=4)


def distribution(model, context):
    contexts = np.tile(np.array(context, dtype=np.int64), (VOCAB, 1))
    return model.probability(contexts, np.arange(VOCAB))


def document(block, at):
    """The tokens of a block before a position, from the start of its document on."""
    begins = np.flatnonzero(block[:at] == START)
    return tuple(int(token) for token in block[begins[-1] if len(begins) else 0 : at])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_are_those_of_the_formulas(blocks, held_out, plain, order):
    model, reference = NgramModel.fit(blocks, VOCAB, START, order), plain(blocks.ravel(), VOCAB, order)
    for row in (*blocks[:2], *held_out[:8]):
        for at in range(1, LENGTH):
            context = document(row, at)
            found = model.probability(np.array([context], dtype=np.int64), row[at : at + 1])[0]
            assert found == pytest.approx(reference.probability(context, int(row[at])), rel=1e-5)


@given(
    st.lists(st.integers(0, 6), min_size=4, max_size=80).filter(lambda tokens: len(tokens) % 2 == 0),
    st.lists(st.integers(0, 6), max_size=5),
    st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_whatever_was_counted_probabilities_are_positive_and_sum_to_one(tokens, context, order):
    model = NgramModel.fit(np.array(tokens).reshape(-1, 2), 7, START, order)
    contexts = np.tile(np.array(context, dtype=np.int64), (7, 1))
    found = model.probability(contexts, np.arange(7))
    assert found.min() > 0
    assert found.sum() == pytest.approx(1.0, abs=1e-5)


def test_context_before_a_document_counts_for_nothing(model):
    np.testing.assert_array_equal(distribution(model, [5, 9, START, 3]), distribution(model, [START, 3]))
    assert not np.array_equal(distribution(model, [5, 9, 3]), distribution(model, [3]))


def test_context_longer_than_the_order_is_cut(model):
    np.testing.assert_array_equal(distribution(model, [4, 4, 2, 1, 8]), distribution(model, [2, 1, 8]))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_a_model_holds_those_of_lower_order(model, blocks, held_out, order):
    mask = np.random.default_rng(0).random(held_out.shape) < 0.3
    alone = NgramModel.fit(blocks, VOCAB, START, order)
    assert model.causal_loss(held_out, order) == alone.causal_loss(held_out)
    assert model.masked_loss(held_out, mask, order=order) == pytest.approx(alone.masked_loss(held_out, mask), rel=1e-12)


def test_causal_loss_is_the_mean_over_all_but_the_first_tokens(model, held_out, plain, blocks):
    reference = plain(blocks.ravel(), VOCAB, 4)
    expected = [
        -np.log(reference.probability(document(row, at), int(row[at]))) for row in held_out for at in range(1, LENGTH)
    ]
    assert model.causal_loss(held_out) == pytest.approx(np.mean(expected), rel=1e-6)


def test_parts_of_a_long_text_add_up(model, stream):
    text = np.tile(blocks_of(stream(2000, seed=3)), (550, 1))
    halves = [model.causal_loss(text[: len(text) // 2], 2), model.causal_loss(text[len(text) // 2 :], 2)]
    assert text.size > 1 << 20
    assert model.causal_loss(text, 2) == pytest.approx(np.mean(halves), rel=1e-12)


def test_longer_contexts_help_until_they_hold_what_decides(model, held_out):
    losses = [model.causal_loss(held_out, order) for order in (1, 2, 3)]
    assert losses[0] > losses[1] + 0.02
    assert losses[1] > losses[2] + 0.3, "two tokens decide the next"


@pytest.mark.parametrize("special_ids", [(), (START, 5)])
@pytest.mark.parametrize(("order", "share"), [(1, 0.3), (2, 0.3), (3, 0.3), (4, 0.1), (4, 0.3), (4, 0.7)])
def test_masked_loss_is_the_enumerated_posterior(model, held_out, plain, blocks, order, share, special_ids):
    part, reference = held_out[:4], plain(blocks.ravel(), VOCAB, order)
    mask = np.random.default_rng(3).random(part.shape) < share
    hidden = mask & ~np.isin(part, special_ids)
    losses = []
    for row, column in zip(*np.nonzero(hidden), strict=True):
        left = visible(part[row], hidden[row], range(column - 1, max(-1, column - order), -1))
        right = visible(part[row], hidden[row], range(column + 1, min(LENGTH, column + order)))
        found = reference.posterior(left[::-1], right)
        found[list(special_ids)] = 0
        losses.append(-np.log(found[part[row, column]] / found.sum()))
    assert model.masked_loss(part, mask, special_ids, order=order) == pytest.approx(np.mean(losses), rel=1e-5)


def visible(block, hidden, columns):
    """The tokens of the columns in turn, up to one that is hidden, or that begins a document."""
    found = []
    for column in columns:
        if hidden[column]:
            break
        found.append(int(block[column]))
        if block[column] == START:
            break
    return tuple(found)


def test_both_sides_tell_more_than_one(model, held_out):
    mask = np.zeros(held_out.shape, dtype=bool)
    mask[:, 4::5] = True
    before = np.array([held_out[row, at - 3 : at] for row, at in zip(*np.nonzero(mask), strict=True)])
    left = -np.log(model.probability(before, held_out[mask])).mean()
    assert model.masked_loss(held_out, mask) < left - 0.2


def test_absent_tokens_end_the_context(model, held_out):
    padded = np.hstack([held_out, np.full_like(held_out, 7)])
    mask = np.zeros(padded.shape, dtype=bool)
    mask[:, [3, LENGTH - 1]] = True
    alone = model.masked_loss(held_out, mask[:, :LENGTH], absent_ids=(7,))
    assert model.masked_loss(padded, mask, absent_ids=(7,)) == pytest.approx(alone, rel=1e-12)
    assert model.masked_loss(padded, mask) != pytest.approx(alone, rel=1e-6)


@pytest.fixture(scope="module")
def packed(held_out):
    """Rows of three pieces and padding, which is the id 7; the number of each token's piece, and the pieces."""
    rng = np.random.default_rng(4)
    rows, segments, pieces = np.full((60, LENGTH), 7), np.zeros((60, LENGTH), dtype=int), []
    for row, begin in zip(range(60), rng.integers(0, 5, 60), strict=True):
        ends = np.sort(rng.choice(np.arange(1, LENGTH), 3, replace=False))
        for number, (start, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True), start=1):
            # Some pieces are cut from the middle of a document.
            pieces.append(held_out[(row + number * begin) % len(held_out), : stop - start])
            rows[row, start:stop], segments[row, start:stop] = pieces[-1], number
    return rows, segments, pieces


def test_pieces_of_a_row_are_predicted_as_if_they_were_alone(model, packed):
    rows, segments, pieces = packed
    long_enough = [piece for piece in pieces if len(piece) > 1]
    losses = [model.causal_loss(piece[None]) * (len(piece) - 1) for piece in long_enough]
    expected = sum(losses) / sum(len(piece) - 1 for piece in long_enough)
    assert model.causal_loss(rows, segments=segments) == pytest.approx(expected, rel=1e-12)
    assert model.causal_loss(rows) != pytest.approx(expected, rel=1e-3)
    with pytest.raises(InputError, match="nothing to predict"):
        model.causal_loss(rows, segments=np.tile(np.arange(LENGTH), (60, 1)))


def test_hidden_tokens_of_a_row_see_their_own_piece(model, packed):
    rows, segments, pieces = packed
    mask = (np.random.default_rng(5).random(rows.shape) < 0.3) & (segments > 0)
    hidden, total = iter(mask[segments > 0].tolist()), 0.0
    for piece in pieces:
        own = np.array([[next(hidden) for _ in piece]])
        total += model.masked_loss(piece[None], own) * own.sum() if own.any() else 0.0
    expected = total / mask.sum()
    assert model.masked_loss(rows, mask, segments=segments) == pytest.approx(expected, rel=1e-12)
    assert model.masked_loss(rows, mask) != pytest.approx(expected, rel=1e-3)


def test_a_part_of_a_large_corpus_comes_from_all_of_it(blocks):
    number = np.arange(len(blocks)) * VOCAB // len(blocks)
    marked = np.repeat(number, LENGTH).reshape(-1, LENGTH)
    model = NgramModel.fit(marked, VOCAB, START, 2, max_tokens=marked.size // 3)
    assert marked.size // 3 - LENGTH < model.num_tokens <= marked.size // 3
    assert distribution(model, []).min() > 0.02, "each token stands in one stretch of the corpus only"
    assert NgramModel.fit(marked, VOCAB, START, 2).num_tokens == marked.size


def test_a_text_of_short_documents_has_a_lower_order():
    model = NgramModel.fit(np.array([[START, 3], [START, 4], [START, 3]]), VOCAB, START, 5)
    assert model.order == 3, "a start may follow two tokens, but nothing reaches beyond it"


def test_uniform_text_costs_the_logarithm_of_the_vocabulary():
    text = np.random.default_rng(0).integers(1, VOCAB, (2000, LENGTH))
    model = NgramModel.fit(text, VOCAB, START, 4)
    assert model.causal_loss(text[:, :9], 1) == pytest.approx(np.log(VOCAB - 1), rel=0.01)
    other = np.random.default_rng(1).integers(1, VOCAB, (200, LENGTH))
    assert model.causal_loss(other, 2) == pytest.approx(np.log(VOCAB - 1), rel=0.01)


@pytest.mark.parametrize("blocks", [np.zeros((0, 8), int), np.zeros((3, 1), int), np.zeros(8, int)])
def test_blocks_without_pairs_are_refused(blocks):
    with pytest.raises(InputError, match="shape"):
        NgramModel.fit(blocks, VOCAB, START)


def test_id_beyond_the_vocabulary_is_named():
    with pytest.raises(InputError, match="token id 40 "):
        NgramModel.fit(np.array([[1, 40]]), VOCAB, START)


def test_mask_must_hide_something_and_fit(model):
    with pytest.raises(InputError, match="hides none of 3 tokens"):
        model.masked_loss(np.array([[0, 1, 0]]), np.array([[True, False, True]]), (0,))
    with pytest.raises(InputError, match="must be equal"):
        model.masked_loss(np.array([[0, 1, 0]]), np.array([[True]]))
