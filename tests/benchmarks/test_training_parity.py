"""Held-out loss is the same number whoever trained, and peers' rows are those of the scripts that they stand for."""

import pytest
import torch
import training_data as shared_data
import training_parity
from torch.nn import functional
from training_peers import Counts, grouped

from lmforge.tokenization.tokenizer import CLS, MASK, NUM_SPECIAL, SEP
from models.architectures import Special, build_config, language_model

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=600)


def model(objective: str, architecture: str):
    torch.manual_seed(0)
    config = build_config(architecture, "nano", SPECIAL, max_positions=64, dropout=0.0)
    return language_model(objective, config).eval()


@pytest.mark.parametrize(("objective", "architecture"), [("masked_lm", "bert"), ("causal_lm", "gpt2")])
def test_held_out_loss_is_the_mean_over_all_predicted_positions(objective, architecture, training_data):
    batches = list(training_parity.documents(objective, training_data / "tokenizer"))[:3]
    network, losses = model(objective, architecture), []
    for batch in batches:
        with torch.no_grad():
            logits = network(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        labels = batch["labels"]
        if objective == "causal_lm":
            logits, labels = logits[:, :-1], labels[:, 1:]
        losses.append(functional.cross_entropy(logits[labels >= 0], labels[labels >= 0], reduction="none"))
    assert training_parity.held_out_loss(network, batches) == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)


def test_positions_to_predict_are_the_same_in_every_run_and_never_special(training_data):
    first, again = (list(training_parity.documents("masked_lm", training_data / "tokenizer")) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for one, other in zip(first, again, strict=True) for name in one)
    chosen = torch.cat([batch["labels"][batch["labels"] >= 0] for batch in first])
    shown = torch.cat([batch["input_ids"][batch["labels"] >= 0] for batch in first])
    num_tokens = sum(int(batch["attention_mask"].sum()) for batch in first)
    assert (shown == MASK).all() and (chosen >= NUM_SPECIAL).all()
    assert len(chosen) / num_tokens == pytest.approx(0.15, abs=0.02)
    causal = torch.cat(
        [batch["labels"].flatten() for batch in training_parity.documents("causal_lm", training_data / "tokenizer")]
    )
    assert not torch.isin(causal, torch.tensor([CLS, SEP])).any(), "borders are no text"


def test_no_held_out_text_is_trained_on():
    train, held_out = shared_data.rows(held_out=False), shared_data.rows(held_out=True)
    assert len(held_out) / (len(train) + len(held_out)) == pytest.approx(1 / shared_data.HELD_OUT_EVERY, abs=0.001)
    assert not {row["id"] for row in train} & {row["id"] for row in held_out}


def test_examples_have_the_label_of_their_section():
    sections = shared_data.sections()
    found = shared_data.examples("short", held_out=True)
    assert {one["section"] for one in found} == set(sections)
    assert all(sections[one["label"]] == one["section"] for one in found)
    assert len(shared_data.examples("short", held_out=False)) >= shared_data.NUM_TIMED_EXAMPLES


def test_groups_are_blocks_of_the_concatenation():
    rows = {"input_ids": [[1, 2, 3], [4, 5], [6, 7, 8, 9]], "attention_mask": [[1] * 3, [1] * 2, [1] * 4],
            "token_type_ids": [[0] * 3, [0] * 2, [0] * 4]}  # fmt: skip
    dataset = grouped(rows, 4)
    assert dataset["input_ids"][:] == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert set(dataset.column_names) == {"input_ids", "attention_mask"}


def test_a_collator_counts_real_tokens():
    padded = {"input_ids": torch.ones(2, 5), "attention_mask": torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0]])}
    counts = Counts(lambda rows: padded if rows else {"input_ids": torch.ones(3, 4)})
    counts([1, 2])
    counts([])
    assert (counts.tokens, counts.examples) == ([6, 12], [2, 0])


def test_the_figure_has_a_panel_an_objective(tmp_path):
    curve = training_parity.Curve([2_048.0, 4_096.0], [7.0, 6.5], tmp_path)
    pairs = {"masked_lm": {"ours": curve, "trainer": curve}, "causal_lm": {"ours": curve, "trainer": curve}}
    training_parity.draw(pairs, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
