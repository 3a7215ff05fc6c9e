"""A packed row is to a network what its pieces are, each alone; and nothing is learned across a border."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.architectures import Special, build_config, language_model
from models.objectives.causal_lm import CausalLM
from models.objectives.masked_lm import IGNORED, MaskedLM
from models.objectives.replaced_token_detection import ReplacedTokenDetection
from models.packing import Packed, as_packed, hidden_states, placed, visible

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=200)
LENGTH = 24
# Pieces of three rows: full, filled up, and a single one.
PIECES = ((10, 8, 6), (7, 9, 1), (24,))
ARCHITECTURES = [("bert", False), ("modernbert", False), ("electra", False), ("gpt2", True), ("llama", True)]


def pack(pieces) -> Packed:
    rows = np.zeros((3, len(pieces), LENGTH), dtype=np.int64)
    for row, several in enumerate(pieces):
        at = 0
        for number, ids in enumerate(several, start=1):
            rows[:, row, at : at + len(ids)] = ids, np.full(len(ids), number), np.arange(len(ids))
            at += len(ids)
    return Packed(*rows)


def documents(seed: int = 0) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [[rng.integers(5, 200, length) for length in lengths] for lengths in PIECES]


def network(architecture: str, **changes):
    torch.manual_seed(0)
    config = build_config(architecture, "nano", SPECIAL, max_positions=64, dropout=0.0)
    config.update(changes)
    objective = "causal_lm" if architecture in ("gpt2", "llama") else "masked_lm"
    return language_model(objective, config).eval()


def states(model, rows, causal):
    batch = {"input_ids": torch.from_numpy(as_packed(rows).ids), **placed(rows)}
    with torch.inference_mode():
        return hidden_states(model, batch, causal=causal)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(("architecture", "causal"), ARCHITECTURES)
def test_pieces_are_read_as_if_they_were_alone(architecture, causal, attention):
    model, rows = network(architecture), documents()
    model.set_attn_implementation(attention)
    found = states(model, pack(rows), causal)
    for row, several in enumerate(rows):
        at = 0
        for ids in several:
            alone = model.base_model(input_ids=torch.from_numpy(ids)[None]).last_hidden_state[0]
            torch.testing.assert_close(found[row, at : at + len(ids)], alone, atol=1e-5, rtol=1e-5)
            at += len(ids)
    assert torch.isfinite(found).all(), "padding, too: a number that is none would spoil gradients"


@pytest.mark.parametrize(("architecture", "causal"), ARCHITECTURES)
def test_another_piece_changes_nothing(architecture, causal):
    model, rows, other = network(architecture), documents(), documents()
    other[0][1] = other[0][1][::-1].copy()
    one, two = (states(model, pack(each), causal) for each in (rows, other))
    changed = np.zeros((3, LENGTH), dtype=bool)
    changed[0, 10:18] = True
    assert torch.equal(one[~changed], two[~changed])
    assert not torch.isclose(one[changed], two[changed]).all(-1).any(), "the piece itself reads otherwise"


def test_layers_that_see_near_tokens_only_keep_their_window():
    model, rows = (
        network("modernbert", layer_types=["full_attention", "sliding_attention"], local_attention=6),
        documents(),
    )
    found = states(model, pack(rows), False)
    alone = model.base_model(input_ids=torch.from_numpy(rows[2][0])[None]).last_hidden_state
    torch.testing.assert_close(found[2:], alone, atol=1e-5, rtol=1e-5)
    first = model.base_model(input_ids=torch.from_numpy(rows[0][0])[None]).last_hidden_state
    torch.testing.assert_close(found[:1, :10], first, atol=1e-5, rtol=1e-5)
    wide = network("modernbert", layer_types=["full_attention", "sliding_attention"], local_attention=60)
    assert not torch.allclose(states(wide, pack(rows), False)[2], found[2], atol=1e-3), "the window is felt"


def test_who_sees_whom():
    segments = torch.tensor([[1, 1, 2, 2, 0]])
    seen = visible(segments)[0, 0].int().tolist()
    assert seen == [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
    assert visible(segments, causal=True)[0, 0].int().tolist() == np.tril(seen).tolist()
    assert visible(torch.ones(1, 4), window=1)[0, 0].int().tolist() == [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 1],
        [0, 0, 1, 1],
    ]


def test_rows_of_an_array_are_one_piece_each_and_need_no_mask():
    ids = np.arange(10, dtype=np.uint16).reshape(2, 5)
    rows = as_packed(ids)
    assert rows.ids.dtype == np.int64
    assert (rows.segments == 1).all()
    assert rows.position_ids.tolist() == [[0, 1, 2, 3, 4]] * 2
    assert placed(ids) == {}
    assert as_packed(rows) is rows


def test_batch_counts_its_tokens_without_padding():
    batch = placed(pack(documents()))
    assert batch["attention_mask"].sum(1).tolist() == [sum(lengths) for lengths in PIECES]
    assert torch.equal(batch["attention_mask"] > 0, batch["segments"] > 0)


def test_no_token_is_predicted_across_a_border():
    rows = documents()
    batch = CausalLM().collate(pack(rows), np.random.default_rng(0))
    expected = [token for several in rows for ids in several for token in ids[1:].tolist()]
    assert batch["labels"][batch["labels"] != IGNORED].tolist() == expected
    assert CausalLM().counts(batch) == {"tokens": sum(len(ids) - 1 for several in rows for ids in several)}


def test_causal_loss_is_that_of_each_document_alone():
    model, rows = network("gpt2"), documents()
    batch = CausalLM().collate(pack(rows), np.random.default_rng(0))
    total = 0.0
    for ids in (torch.from_numpy(ids)[None] for several in rows for ids in several if len(ids) > 1):
        total += model(input_ids=ids, labels=ids).loss.item() * (ids.shape[1] - 1)
    assert CausalLM().sums(model, batch)["loss"] == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize("whole_words", [False, True])
def test_padding_is_never_masked_and_words_end_with_their_piece(whole_words):
    continues = np.arange(200) >= 5 if whole_words else None
    masked = MaskedLM(SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5, mask_share=0.5, continues=continues)
    rows, apart = pack(documents()), 0
    # A tokenizer of other origin may have an ordinary token where ours has [PAD].
    rows.ids[rows.segments == 0] = 7
    for seed in range(40):
        labels = masked.collate(rows, np.random.default_rng(seed))["labels"].numpy()
        assert (labels[rows.segments == 0] == IGNORED).all()
        chosen = labels[0] != IGNORED
        if whole_words:
            assert len({bool(one) for one in chosen[:10]}) == 1, "every piece is one long word here"
        apart += chosen[9] != chosen[10]
    assert apart > 5, "two pieces are chosen independently"


def test_detector_judges_tokens_and_not_padding():
    torch.manual_seed(0)
    config = build_config("electra", "nano", SPECIAL, max_positions=64, dropout=0.0)
    model = language_model("replaced_token_detection", config).eval()
    task = ReplacedTokenDetection(SPECIAL, ordinary=np.arange(SPECIAL.vocab_size) >= 5)
    rows = documents()
    batch = task.collate(pack(rows), np.random.default_rng(0))
    sums = task.sums(model, batch)
    assert sums["tokens"] == task.counts(batch)["tokens"] == sum(map(sum, PIECES))
    # The last row is a document of full length: alone it is judged as in its batch.
    alone = {name: tensor[2:] for name, tensor in batch.items()}
    plain = {name: alone[name] for name in ("input_ids", "labels", "draws")}
    assert task.loss(model, alone).item() == pytest.approx(task.loss(model, plain).item(), rel=1e-5)
    assert sums["count"] == (batch["labels"] != IGNORED).sum()
