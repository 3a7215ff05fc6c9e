"""Spans come back where their sentinels stand; loss and learning on a text that only context explains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.objectives.masked_lm import IGNORED
from models.objectives.span_corruption import MIN_SENTINELS, SpanCorruption, span_counts
from models.packing import Packed, as_packed

SEP, FIRST = 3, 1000


def objective(**changes) -> SpanCorruption:
    return SpanCorruption(sep=SEP, sentinels=np.arange(FIRST, FIRST + 5000), **changes)


def restored(shown: list[int], target: list[int]) -> list[int]:
    """The text that input and target tell together, by their meaning and not by how they were made."""
    assert shown.pop() == SEP
    assert target.pop() == SEP
    spans: dict[int, list[int]] = {}
    for token in target:
        if token >= FIRST:
            spans[token] = []
        else:
            spans[list(spans)[-1]].append(token)
    assert list(spans) == list(range(FIRST, FIRST + len(spans))), "sentinels count up"
    assert spans[max(spans)] == [], "the last one ends the target"
    text = [part for token in shown for part in (spans[token] if token >= FIRST else [token])]
    assert sum(token >= FIRST for token in shown) == len(spans) - 1
    return text


@settings(deadline=None, max_examples=60)
@given(
    length=st.integers(8, 200),
    share=st.floats(0.01, 0.9),
    mean=st.floats(1, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_nothing_is_lost_whatever_the_settings(length, share, mean, seed):
    rows = np.random.default_rng(seed).integers(SEP + 1, FIRST, (3, length)).astype(np.uint16)
    batch = objective(mask_share=share, mean_span_length=mean).collate(rows, np.random.default_rng(seed))
    num_hidden, num_spans = span_counts(length, share, mean)
    assert batch["input_ids"].shape == (3, length - num_hidden + num_spans + 1) == batch["attention_mask"].shape
    assert batch["labels"].shape == (3, num_hidden + num_spans + 2)
    for row, shown, target in zip(rows, batch["input_ids"], batch["labels"], strict=True):
        assert restored(shown.tolist(), target.tolist()) == row.tolist()


def packed(lengths, rng) -> Packed:
    """Whole documents and their parts, one a row: [SEP] ends the first of them."""
    ids = np.zeros((len(lengths), max(lengths)), dtype=np.int64)
    segments = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    ids[segments > 0] = rng.integers(SEP + 1, FIRST, sum(lengths))
    ids[0, lengths[0] - 1] = SEP
    return Packed(ids, segments, np.arange(max(lengths)) * segments)


def test_rows_of_unequal_length_are_padded_and_come_back():
    rows = packed((40, 17, 40, 39, 60), np.random.default_rng(0))
    task = objective()
    batch = task.collate(rows, np.random.default_rng(1))
    wanted, real = batch["labels"] != IGNORED, batch["attention_mask"] > 0
    assert (batch["input_ids"][~real] == 0).all()
    for row in range(5):
        whole = rows.ids[row][rows.segments[row] > 0].tolist()
        text = whole[:-1] if row == 0 else whole
        found = restored(batch["input_ids"][row][real[row]].tolist(), batch["labels"][row][wanted[row]].tolist())
        assert found == text, "the [SEP] of a document ends its row, once"
        num_hidden, num_spans = span_counts(len(text), 0.15, 3.0)
        assert real[row].sum() == len(text) - num_hidden + num_spans + 1
    assert task.counts(batch) == {"tokens": int(wanted.sum())}
    with pytest.raises(AssertionError, match="more than one piece"):
        task.collate(rows._replace(segments=rows.segments + 1), np.random.default_rng(0))


def test_padding_changes_no_loss(counting, network):
    model = network("t5", "span_corruption", num_extra=20)
    task = SpanCorruption(sep=counting.special.sep, sentinels=counting.special.vocab_size + np.arange(20))
    rows = as_packed(counting.blocks(2, 0))
    segments = rows.segments.copy()
    segments[1, 15:] = 0
    batch = task.collate(rows._replace(segments=segments), np.random.default_rng(0))
    totals = task.sums(model, batch)
    alone = dict.fromkeys(totals, 0.0)
    for row in range(2):
        real, wanted = batch["attention_mask"][row] > 0, batch["labels"][row] != IGNORED
        ids, labels = batch["input_ids"][row][real][None], batch["labels"][row][wanted][None]
        one = task.sums(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
        alone = {name: value + one[name] for name, value in alone.items()}
    assert totals == pytest.approx(alone, rel=1e-5)
    assert totals["count"] == sum(span_counts(length, 0.15, 3.0)[0] for length in (24, 15))


def test_counts_are_those_of_the_paper():
    assert span_counts(512, 0.15, 3.0) == (77, 26)
    assert span_counts(8, 0.15, 3.0) == (1, 1)
    assert span_counts(2, 0.99, 1.0) == (1, 1)


def test_every_token_is_hidden_about_as_often_as_another():
    rows = np.tile(np.arange(100, 164), (4000, 1))
    batch = objective().collate(rows, np.random.default_rng(0))
    hidden = batch["labels"][(batch["labels"] < FIRST) & (batch["labels"] != SEP)]
    counts = np.bincount(hidden.numpy() - 100, minlength=64) / 4000
    assert counts.mean() == pytest.approx(10 / 64)
    # A row begins with a token that is shown, so that its first tokens are hidden less.
    assert counts[0] == 0
    assert counts[8:-8] == pytest.approx(10 / 64, abs=0.05)


def test_spans_depend_on_the_generator_alone():
    rows = np.arange(320).reshape(5, 64)
    one, same, other = (objective().collate(rows, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["labels"], other["labels"])


def test_too_few_sentinels_are_refused():
    few = SpanCorruption(sep=SEP, sentinels=np.arange(FIRST, FIRST + MIN_SENTINELS))
    with pytest.raises(ValueError, match=f"need 104 sentinels, but there are {MIN_SENTINELS}"):
        few.collate(np.zeros((1, 2060), dtype=np.uint16), np.random.default_rng(0))


@pytest.mark.parametrize(("architecture", "golden"), [("t5", 6.4260), ("bart", 4.8658)])
def test_loss_is_that_of_transformers_and_stays_what_it_was(network, counting, architecture, golden):
    model = network(architecture, "span_corruption", MIN_SENTINELS)
    task = SpanCorruption(sep=SEP, sentinels=counting.special.vocab_size + np.arange(MIN_SENTINELS))
    batch = task.collate(counting.blocks(4, 0), np.random.default_rng(0))
    loss = task.loss(model, batch)
    torch.testing.assert_close(loss, model(**batch).loss)
    assert loss.item() == pytest.approx(golden, abs=1e-3)
    totals = task.sums(model, batch)
    assert totals["count"] == 4 * 4, "hidden tokens alone"
    assert task.metrics(totals)["target_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_context_is_learnt(network, learn, counting):
    task = SpanCorruption(sep=SEP, sentinels=counting.special.vocab_size + np.arange(MIN_SENTINELS))
    metrics = learn(network("t5", "span_corruption", MIN_SENTINELS).train(), task, 60)
    assert metrics["loss"] < counting.entropy / 1.5
    assert metrics["accuracy"] > 0.2
