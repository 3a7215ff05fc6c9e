"""What a document costs a model is the cost of all its tokens, and the same documents are asked of every model."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoTokenizer

from lmforge.evaluation.language_documents import (
    MAX_CHARS,
    DocumentScorer,
    causal_windows,
    held_out_documents,
    measured,
    metric_of,
    own_length,
    value_of,
)
from lmforge.recipe.optimization import Pretraining
from lmforge.training.objectives import special_ids
from models.architectures import build_config, language_model
from models.objectives.masked_lm import IGNORED


def saved(directory, training_data, objective, architecture, positions=64):
    torch.manual_seed(0)
    config = build_config(
        architecture, "nano", special_ids(training_data / "tokenizer"), max_positions=positions, dropout=0.0
    )
    language_model(objective, config).save_pretrained(directory)
    AutoTokenizer.from_pretrained(training_data / "tokenizer").save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def documents(descriptions):
    rows = [(row["id"], row["description"]) for row in descriptions[:8]] + [
        ("long", "many games " * 60),
        ("short", "a"),
    ]
    return pl.DataFrame(rows, schema=["id", "text"], orient="row")


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory, training_data):
    return saved(tmp_path_factory.mktemp("gpt2"), training_data, "causal_lm", "gpt2")


def write_clean(directory, texts, splits):
    rows = {"id": [f"d{number}" for number in range(len(texts))], "text": texts, "split": splits}
    pl.DataFrame(rows).write_parquet(directory / "part-00000.parquet")


def test_the_choice_is_held_out_stable_and_cut(tmp_path):
    texts = [f"text number {number}" for number in range(40)] + ["x" * (MAX_CHARS + 5)]
    write_clean(tmp_path, texts, ["train", "validation"] * 20 + ["validation"])
    every, overlapping = held_out_documents(tmp_path, 100)
    assert (len(every), overlapping) == (21, ())
    assert every["id"].is_sorted()
    assert every["text"].str.len_chars().max() == MAX_CHARS
    few, _ = held_out_documents(tmp_path, 5)
    more, _ = held_out_documents(tmp_path, 9)
    assert len(few) == 5
    assert set(few["id"]) < set(more["id"])


def test_text_that_was_trained_on_is_named(tmp_path):
    write_clean(tmp_path, ["Of games", "of  GAMES", "of nets"], ["train", "validation", "validation"])
    assert held_out_documents(tmp_path, 10)[1] == ("d1",)


@pytest.mark.parametrize(("num_tokens", "length"), [(2, 8), (8, 8), (9, 8), (12, 8), (13, 8), (100, 7), (50, 2)])
def test_every_token_but_the_first_is_predicted_once_from_what_is_before_it(num_tokens, length):
    ids = np.arange(num_tokens)
    predicted = []
    for batch in causal_windows(ids, length):
        shown, labels = batch["input_ids"][0].tolist(), batch["labels"][0].tolist()
        assert len(shown) <= length
        wanted = [(token, label) for token, label in zip(shown, labels, strict=True) if label != IGNORED]
        assert all(label == token + 1 for token, label in wanted)
        context = min(label for _, label in wanted) - shown[0]
        assert context >= min(1 if not predicted else length // 2, length)
        predicted += [label for _, label in wanted]
    assert predicted == list(range(1, num_tokens))


def test_bits_of_a_causal_model_are_those_of_transformers(gpt2, documents):
    settings = measured(Pretraining(objective="causal_lm", max_seq_length=32))
    short = documents.filter(pl.col("id") != "long")
    scorer = DocumentScorer(gpt2, settings, 64)
    scores = scorer.score(short)
    for row, text in zip(scores.iter_rows(named=True), short["text"], strict=True):
        ids = torch.tensor([scorer.tokenizer.encode(text).ids])
        if ids.shape[1] <= scorer.max_length:
            loss = scorer.network(input_ids=ids, labels=ids).loss.item()
            assert row["nats"] == pytest.approx(loss * (ids.shape[1] - 1), rel=1e-4)
        assert row["num_tokens"] == ids.shape[1] - 1
        assert row["num_bytes"] == len(text.encode())
    bits = scores["nats"].sum() / math.log(2) / scores["num_bytes"].sum()
    assert value_of(scores, metric_of(settings)) == pytest.approx(bits)


def test_a_long_document_is_scored_to_its_end(gpt2, documents):
    scorer = DocumentScorer(gpt2, measured(Pretraining(objective="causal_lm", max_seq_length=32)))
    (row,) = scorer.score(documents.filter(pl.col("id") == "long")).to_dicts()
    assert row["num_tokens"] > 2 * scorer.max_length
    assert row["num_words"] == 120


def test_hidden_tokens_depend_on_the_id_alone(tmp_path, training_data, documents):
    directory = saved(tmp_path, training_data, "masked_lm", "bert")
    settings = measured(Pretraining(objective="contrastive_masked_lm", max_seq_length=32))
    assert (settings.objective, metric_of(settings)) == ("masked_lm", "nats_per_token")
    scorer = DocumentScorer(directory, settings)
    scores = scorer.score(documents)
    turned = DocumentScorer(directory, settings).score(documents.reverse()).reverse()
    assert scores.equals(turned)
    hidden = sum(int((batch["labels"] != IGNORED).sum()) for batch in scorer.counted(documents))
    assert scores["num_tokens"].sum() == hidden
    assert value_of(scores, "nats_per_token") == pytest.approx(math.log(scorer.network.config.vocab_size), abs=0.5)


def test_what_rebuilds_a_text_is_scored_in_pieces(tmp_path, training_data, documents):
    directory = saved(tmp_path, training_data, "denoising", "bart")
    scores = DocumentScorer(directory, measured(Pretraining(objective="denoising", max_seq_length=32))).score(documents)
    assert scores.filter(pl.col("id") == "short")["num_tokens"].item() == 0, "too short to cut a span from"
    assert scores.filter(pl.col("id") == "long")["nats"].item() > 0


def test_the_length_is_what_tokenizer_and_network_both_know(tmp_path, training_data):
    assert own_length(saved(tmp_path / "a", training_data, "causal_lm", "gpt2"), 8) == 32
    assert own_length(saved(tmp_path / "b", training_data, "causal_lm", "gpt2", positions=16), 8) == 16
