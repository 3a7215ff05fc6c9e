"""Objectives get from a tokenizer what they need: words, sentence ends, and ids that the tokenizer has not taken."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from transformers import AutoTokenizer

from lmforge.recipe.optimization import Denoising, Finetuning, Pretraining
from lmforge.recipe.schema import Recipe, Tokenizer
from lmforge.tokenization.tokenizer import load_tokenizer, train_tokenizer
from lmforge.training.objectives import extra_tokens, objective_of, special_ids
from models.objectives import OBJECTIVES
from models.objectives.masked_lm import IGNORED

NAMES = get_args(Pretraining.model_fields["objective"].annotation)


@pytest.fixture(scope="module")
def wordpiece(training_data):
    return training_data / "tokenizer"


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory, descriptions):
    directory = tmp_path_factory.mktemp("bpe")
    settings = Tokenizer(kind="bpe", vocab_size=600)
    train_tokenizer([row["description"] for row in descriptions], settings, 32, directory)
    return directory


@pytest.mark.parametrize("name", NAMES)
def test_every_objective_of_the_recipe_is_built_and_named(wordpiece, name):
    assert type(objective_of(Pretraining(objective=name), wordpiece)) is OBJECTIVES[name]


def test_fine_tuning_is_classification_and_adds_no_token(wordpiece):
    assert type(objective_of(Finetuning(), wordpiece)) is OBJECTIVES["sequence_classification"]
    assert extra_tokens(Finetuning()) == ()


def test_sentinels_begin_where_the_tokenizer_ends_before_and_after_they_are_in_it(wordpiece, tmp_path):
    settings = Pretraining(objective="span_corruption", max_seq_length=32)
    before = objective_of(settings, wordpiece)
    tokenizer = AutoTokenizer.from_pretrained(wordpiece, local_files_only=True)
    tokenizer.add_special_tokens({"extra_special_tokens": list(extra_tokens(settings))})
    tokenizer.save_pretrained(tmp_path)
    after = objective_of(settings, tmp_path)
    assert before.sentinels.tolist() == after.sentinels.tolist()
    first = special_ids(wordpiece).vocab_size
    assert special_ids(wordpiece, settings).vocab_size == special_ids(tmp_path, settings).vocab_size == first + 100
    assert special_ids(tmp_path).vocab_size == special_ids(wordpiece).vocab_size + 100
    found = [load_tokenizer(tmp_path).token_to_id(token) for token in extra_tokens(settings)]
    assert found == after.sentinels.tolist() == list(range(first, first + 100))
    text = load_tokenizer(tmp_path).encode("an <extra_id_0> of text").ids
    assert max(text) < first, "in a text it is text"


def test_long_blocks_have_as_many_sentinels_as_they_need():
    few = Pretraining(objective="span_corruption", max_seq_length=512)
    many = few.model_copy(update={"max_seq_length": 8192})
    assert (len(extra_tokens(few)), len(extra_tokens(many))) == (100, 411)
    assert extra_tokens(Pretraining(objective="denoising")) == ()


def test_words_are_masked_whole(wordpiece):
    rows = np.load(wordpiece.parent / "train.npy")[:200]
    tokenizer = load_tokenizer(wordpiece)
    pieces = np.array([tokenizer.id_to_token(number).startswith("##") for number in range(tokenizer.get_vocab_size())])
    whole = objective_of(Pretraining(whole_words=True), wordpiece)
    chosen = (whole.collate(rows, np.random.default_rng(0))["labels"] != IGNORED).numpy()
    inside = pieces[rows[:, 1:]] & (rows[:, :-1] >= 5)
    assert inside.sum() > 500
    assert (chosen[:, 1:][inside] == chosen[:, :-1][inside]).all()
    assert chosen[rows >= 5].mean() == pytest.approx(0.15, abs=0.02)
    single = objective_of(Pretraining(), wordpiece).collate(rows, np.random.default_rng(0))["labels"] != IGNORED
    assert (single.numpy()[:, 1:][inside] != single.numpy()[:, :-1][inside]).any()


def test_words_of_a_byte_level_tokenizer_begin_with_a_space(byte_level):
    tokenizer = load_tokenizer(byte_level)
    continues = objective_of(Pretraining(whole_words=True), byte_level).continues
    ids = tokenizer.encode("Unbelievably gr\u00fcn, (parenthesised) words.\nNew", add_special_tokens=False).ids
    words, text = [], tokenizer.decode(ids)
    for number in ids:
        words[-1:] = [words[-1] + [number]] if words and continues[number] else [*words[-1:], [number]]
    assert "".join(tokenizer.decode(word) for word in words) == text
    assert {" words", "Unbelievably", " gr\u00fcn", ","} <= {tokenizer.decode(word) for word in words}


@pytest.mark.parametrize("tokenizer", ["wordpiece", "byte_level"])
def test_sentence_ends_are_those_that_the_tokenizer_has(tokenizer, request):
    directory = request.getfixturevalue(tokenizer)
    ends = objective_of(Pretraining(objective="denoising"), directory).sentence_ends
    tokens = {load_tokenizer(directory).id_to_token(int(number)) for number in ends}
    assert {".", "!"} <= tokens <= set(".!?\u2026\u3002")


def recipe(architecture: str, **pretraining) -> dict:
    return {
        "name": "x",
        "corpus": {"sources": [{"kind": "files", "path": "a.txt", "license": "CC0-1.0"}]},
        "model": {"architecture": architecture},
        "pretraining": pretraining,
    }


def test_recipe_refuses_a_misfit_with_what_fits():
    message = (
        "model.architecture and pretraining.objective: architecture llama does not fit objective masked_lm: use bert"
    )
    with pytest.raises(ValueError, match=message):
        Recipe.model_validate(recipe("llama"))
    assert Recipe.model_validate(recipe("llama", objective="causal_lm")).model.architecture == "llama"


@pytest.mark.parametrize("objective", ["causal_lm", "span_corruption", "denoising"])
def test_whole_words_are_refused_where_no_token_is_masked(objective):
    with pytest.raises(ValueError, match=f"whole_words is for objectives that mask single tokens, not for {objective}"):
        Pretraining(objective=objective, whole_words=True)


def test_noise_leaves_something_to_read():
    with pytest.raises(ValueError, match="must add up to less than 1"):
        Denoising(mask_share=0.5, deletion_share=0.5)
