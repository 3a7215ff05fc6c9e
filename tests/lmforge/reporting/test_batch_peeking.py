"""What a batch shows and asks, token by token, for every objective; personal data stays out of sight."""

from __future__ import annotations

import pytest

from lmforge.errors import InputError
from lmforge.recipe import Recipe
from lmforge.recipe.schema import Tokenizer
from lmforge.reporting.batch_page import render_batch
from lmforge.reporting.batch_peeking import peek_batch, words_of
from lmforge.tokenization.encoding import encode
from lmforge.tokenization.packing import write_blocks, write_origin
from lmforge.tokenization.tokenizer import train_tokenizer

KINDS = [
    ("masked_lm", "bert"),
    ("contrastive_masked_lm", "bert"),
    ("next_sentence", "bert"),
    ("sentence_order", "bert"),
    ("replaced_token_detection", "electra"),
    ("causal_lm", "gpt2"),
    ("span_corruption", "t5"),
    ("denoising", "bart"),
]
MASKING = ("masked_lm", "contrastive_masked_lm", "next_sentence", "sentence_order", "replaced_token_detection")


def recipe_of(objective="masked_lm", architecture="bert", **changes) -> Recipe:
    settings = {"objective": objective, "max_seq_length": 32, "global_batch_size": 8, "max_steps": 50} | changes
    return Recipe.model_validate({
        "name": "peek", "corpus": {"sources": [{"kind": "files", "path": "a.jsonl"}]},
        "model": {"architecture": architecture, "size": "nano"}, "pretraining": settings,
    })  # fmt: skip


def peek(tokens, objective="masked_lm", architecture="bert", *, split="train", step=0, num_rows=3, **changes):
    return peek_batch(recipe_of(objective, architecture, **changes), tokens, split=split, step=step, num_rows=num_rows)


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(("objective", "architecture"), KINDS)
def test_every_objective_fits_a_terminal(training_data, objective, architecture, split):
    document = peek(training_data, objective, architecture, split=split)
    assert (document["objective"], document["split"], len(document["rows"])) == (objective, split, 3)
    assert document["num_predicted"] > 0
    assert document["num_tokens"] <= document["num_rows"] * document["row_length"]
    lines = render_batch(document).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("row ") for line in lines) == 3
    answers = [one["answer"] for row in document["rows"] for one in row["tokens"]]
    written = ["target" in row for row in document["rows"]]
    assert all(written) if objective in ("span_corruption", "denoising") else any(answers) and not any(written)


@pytest.mark.parametrize(("objective", "architecture"), [one for one in KINDS if one[0] in MASKING])
def test_a_masked_token_has_its_answer_and_others_have_none(training_data, objective, architecture):
    tokens = [one for row in peek(training_data, objective, architecture)["rows"] for one in row["tokens"]]
    hidden = [one for one in tokens if one["shown"] == "[MASK]"]
    assert hidden
    assert all(one["answer"] not in (None, "[MASK]", "[PAD]") for one in hidden)
    # One in ten of the chosen is replaced by another token, one in ten stays.
    assert sum(one["answer"] is None for one in tokens) > len(tokens) / 2


def test_the_answer_of_causal_lm_is_the_next_token_of_the_same_piece(training_data):
    for row in peek(training_data, "causal_lm", "gpt2")["rows"]:
        for one, after in zip(row["tokens"], row["tokens"][1:], strict=False):
            same = one["segment"] == after["segment"] > 0
            assert one["answer"] == (after["shown"] if same else None)


def test_pieces_of_a_row_are_told_apart_and_padding_is_not_seen(training_data):
    tokens = [one for row in peek(training_data, num_rows=8)["rows"] for one in row["tokens"]]
    assert {1, 2} <= {one["segment"] for one in tokens}
    assert all((one["seen"], one["segment"] > 0) in ((1, True), (0, False)) for one in tokens)


def test_a_step_is_a_function_of_its_number(training_data):
    assert peek(training_data, step=3) == peek(training_data, step=3)
    assert peek(training_data, step=3)["rows"] != peek(training_data, step=4)["rows"]


def test_a_mixture_tells_which_objective_a_step_has(training_data):
    mixed = {"mixture": [{"objective": "sentence_order", "share": 0.5}]}
    seen = {peek(training_data, step=step, num_rows=1, **mixed)["objective"] for step in range(8)}
    assert seen == {"masked_lm", "sentence_order"}


def test_steps_and_splits_that_are_not_there_are_refused(training_data):
    with pytest.raises(InputError, match=r"--step 50: training has steps 0 to 49"):
        peek(training_data, step=50)
    with pytest.raises(InputError, match="validation has fewer batches"):
        peek(training_data, split="validation", step=10_000)
    with pytest.raises(InputError, match="test: no split of the tokens; write train or validation"):
        peek(training_data, split="test")


def test_a_row_with_personal_data_is_left_out(tmp_path, descriptions):
    private = ["please write to bob.miller@example.org about it"] * 40
    texts = [*private, *(row["description"] for row in descriptions)]
    tokenizer = train_tokenizer(texts, Tokenizer(vocab_size=600, lowercase=True), 32, tmp_path / "tokenizer")
    for split in ("train", "validation"):
        write_blocks(tmp_path / f"{split}.npy", [encode(tokenizer, private)], 32)
    write_origin(tmp_path, tmp_path / "tokenizer", 32)
    document = peek(tmp_path, "causal_lm", "gpt2", global_batch_size=2)
    assert {row["text"] for row in document["rows"]} == {"(not shown: it holds personal data or a secret)"}
    assert "miller" not in render_batch(document)


def test_head_says_how_full_the_rows_are():
    document = {"objective": "masked_lm", "split": "train", "step": 1200, "num_rows": 32, "row_length": 128,
                "num_tokens": 4014, "num_predicted": 612}  # fmt: skip
    assert words_of(document) == "masked_lm, train, step 1,200: 32 rows of 128 tokens, 98.0 % text, 612 to predict"
