"""Each kind of noise does what it says and no more; borders of documents stay."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.configurations import Special
from models.objectives.denoising import Denoising, Noise
from models.objectives.masked_lm import IGNORED
from models.packing import Packed

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=500)
STOP = 10
QUIET = Noise(infilling_share=0.0, permutation_share=0.0)
SHARES = st.floats(0, 0.99)


def objective(noise: Noise) -> Denoising:
    return Denoising(SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5, sentence_ends=np.array([STOP]), noise=noise)


def blocks(num_rows: int = 200, length: int = 64) -> np.ndarray:
    return np.random.default_rng(3).integers(11, 500, (num_rows, length)).astype(np.uint16)


def noisy(noise: Noise, rows: np.ndarray, seed: int = 0) -> list[list[int]]:
    batch = objective(noise).collate(rows, np.random.default_rng(seed))
    assert torch.equal(batch["labels"], torch.from_numpy(rows.astype(np.int64)))
    lengths = batch["attention_mask"].sum(1)
    assert (batch["attention_mask"] == (torch.arange(batch["input_ids"].shape[1]) < lengths[:, None])).all()
    assert (batch["input_ids"][batch["attention_mask"] == 0] == SPECIAL.pad).all()
    return [row[:length].tolist() for row, length in zip(batch["input_ids"], lengths, strict=True)]


def test_without_noise_the_input_is_the_text():
    assert noisy(QUIET, blocks()) == blocks().tolist()


def test_padding_is_neither_shown_nor_predicted_nor_moved():
    lengths = np.array([64, 20, 33, 16])
    segments = (np.arange(64) < lengths[:, None]).astype(np.int64)
    text = np.where(segments > 0, blocks(4), SPECIAL.pad).astype(np.int64)
    text[:, 5::7][segments[:, 5::7] > 0] = STOP
    rows = Packed(text, segments, np.arange(64) * segments)
    for noise in (QUIET, QUIET._replace(permutation_share=1.0), Noise(mask_share=0.1, deletion_share=0.1)):
        task = objective(noise)
        batch = task.collate(rows, np.random.default_rng(0))
        assert (batch["labels"].numpy() == np.where(segments > 0, text, IGNORED)).all()
        assert task.counts(batch) == {"tokens": lengths.sum()}
        shown = [
            row[:size].tolist() for row, size in zip(batch["input_ids"], batch["attention_mask"].sum(1), strict=True)
        ]
        assert all(SPECIAL.pad not in row for row in shown)
        if noise.infilling_share == 0:
            assert [sorted(row) for row in shown] == [
                sorted(row[:size]) for row, size in zip(text.tolist(), lengths, strict=True)
            ]
    with pytest.raises(AssertionError, match="more than one piece"):
        objective(QUIET).collate(rows._replace(segments=segments * 2), np.random.default_rng(0))


def test_masking_hides_its_share_in_place():
    shown = np.array(noisy(QUIET._replace(mask_share=0.4), blocks()))
    masked = shown == SPECIAL.mask
    assert masked.mean() == pytest.approx(0.4, abs=0.02)
    assert (shown[~masked] == blocks()[~masked]).all()


def test_deletion_leaves_the_rest_in_order():
    shown = noisy(QUIET._replace(deletion_share=0.3), blocks())
    assert sum(map(len, shown)) / blocks().size == pytest.approx(0.7, abs=0.02)
    for row, left in zip(blocks().tolist(), shown, strict=True):
        tokens = iter(row)
        assert all(token in tokens for token in left), "a subsequence"


def test_spans_become_one_mask_each():
    rows = np.tile(np.arange(100, 164), (300, 1))
    shown = noisy(QUIET._replace(infilling_share=0.3), rows)
    kept = sum(token != SPECIAL.mask for row in shown for token in row)
    assert 1 - kept / rows.size == pytest.approx(0.3 * 6 * 3 / (64 * 0.3), abs=0.02), "6 spans of 3 on average"
    for row in shown:
        numbers = [token for token in row if token != SPECIAL.mask]
        assert numbers == sorted(set(numbers))
        assert 1 <= row.count(SPECIAL.mask) <= 6, "spans that touch at one place are told apart by nothing"
        gaps = [(a, b) for a, b in pairwise(row) if SPECIAL.mask not in (a, b)]
        assert all(b == a + 1 for a, b in gaps), "what is missing is marked"


def test_sentences_change_places_inside_their_document():
    first, second = [[20, 21, STOP], [30, 31, 32, STOP], [40, STOP]], [[50, STOP], [60, 61, STOP]]
    row = [90, STOP, 3, 2, *chain(*first), 3, 2, *chain(*second), 3]  # the end of a document, and two whole ones
    orders = set()
    for seed in range(40):
        (shown,) = noisy(QUIET._replace(permutation_share=1.0), np.array([row], dtype=np.uint16), seed)
        assert [index for index, token in enumerate(shown) if token < 5] == [
            i for i, token in enumerate(row) if token < 5
        ]
        middle = shown[4:13]
        parts = [middle[start:] for start in range(9)]
        assert all(any(part[: len(sentence)] == sentence for part in parts) for sentence in first), (
            "sentences stay whole"
        )
        orders.add(tuple(middle))
    assert len(orders) == 6


def test_a_share_of_the_blocks_is_permuted():
    rows = np.tile(np.array([20, STOP, 30, STOP, 40, STOP, 50, STOP], dtype=np.uint16), (600, 1))
    changed = [row != rows[0].tolist() for row in noisy(QUIET._replace(permutation_share=0.5), rows)]
    assert np.mean(changed) == pytest.approx(0.5 * 23 / 24, abs=0.06)


@settings(deadline=None, max_examples=60)
@given(
    shares=st.tuples(SHARES, SHARES, SHARES, st.floats(0, 1)),
    mean=st.floats(1, 20),
    length=st.integers(8, 80),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_the_noise_an_input_has_tokens_and_fits(shares, mean, length, seed):
    noise = Noise(shares[0], (1 - shares[0]) * shares[1], shares[2], mean, shares[3])
    rows = np.random.default_rng(seed).integers(0, 40, (4, length)).astype(np.uint16)
    for row, shown in zip(rows, noisy(noise, rows, seed), strict=True):
        assert 1 <= len(shown) <= length
        assert set(shown) <= set(row.tolist()) | {SPECIAL.mask}


def test_noise_depends_on_the_generator_alone():
    assert noisy(Noise(), blocks(), 1) == noisy(Noise(), blocks(), 1) != noisy(Noise(), blocks(), 2)


@pytest.mark.parametrize(("architecture", "golden"), [("t5", 6.6572), ("bart", 3.5588)])
def test_loss_is_that_of_transformers_and_stays_what_it_was(network, counting, architecture, golden):
    model = network(architecture, "denoising")
    task = Denoising(counting.special, ordinary=counting.ordinary, sentence_ends=np.array([STOP]), noise=Noise())
    batch = task.collate(counting.blocks(4, 0), np.random.default_rng(0))
    loss = task.loss(model, batch)
    torch.testing.assert_close(loss, model(**batch).loss)
    assert loss.item() == pytest.approx(golden, abs=1e-3)
    metrics = task.metrics(task.sums(model, batch))
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_context_is_learnt(network, learn, counting):
    task = Denoising(counting.special, ordinary=counting.ordinary, sentence_ends=np.array([STOP]), noise=Noise())
    metrics = learn(network("bart", "denoising").train(), task, 40)
    assert metrics["loss"] < counting.entropy / 2
    assert metrics["accuracy"] > 0.5
