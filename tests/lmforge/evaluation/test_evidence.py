"""Evidence of classifiers and language models, on real networks with new weights."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoTokenizer

from lmforge.evaluation.classification import answer_baselines, evaluate_classifier
from lmforge.evaluation.language import evaluate_language_model
from lmforge.evaluation.ngram import NgramModel
from lmforge.evaluation.predictions import read_predictions
from lmforge.recipe.optimization import Pretraining
from lmforge.tokenization.packing import read_blocks
from lmforge.tokenization.tokenizer import load_tokenizer
from lmforge.training.batches import ValidationBatches
from lmforge.training.objectives import extra_tokens, objective_of, special_ids
from lmforge.training.rows import language_rows
from models.architectures import build_config, classifier, language_model

LABELS = ["games", "net", "text"]


def save(model, training_data, directory):
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(training_data / "tokenizer").save_pretrained(directory)
    return directory


def config(training_data):
    special = special_ids(training_data / "tokenizer")
    return build_config("modernbert", "nano", special, max_positions=64, dropout=0.0)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory, training_data, descriptions):
    directory = tmp_path_factory.mktemp("labelled")
    rows = [{"id": row["id"], "text": row["description"], "label": row["section"]} for row in descriptions]
    for split, part in (("train", rows[60:]), ("test", rows[:60])):
        pl.DataFrame(part).write_parquet(directory / f"{split}.parquet")
    (directory / "labels.json").write_text(json.dumps(LABELS))
    return directory


@pytest.fixture(scope="module")
def networks(tmp_path_factory, training_data):
    """Two classifiers with different new weights."""
    made = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = classifier(LABELS, config=config(training_data))
        made.append(save(model, training_data, tmp_path_factory.mktemp(f"model{seed}")))
    return made


def test_every_system_is_scored_on_the_same_examples(labelled, networks, tmp_path):
    answer_baselines(labelled, tmp_path, seed=0)
    out = tmp_path / "out"
    out.mkdir()
    models = {"model": networks[0], "scratch": networks[1]}
    result = evaluate_classifier(models, labelled, tmp_path, out, seed=0, resamples=1000)
    assert result["systems"].keys() == {"model", "scratch", "majority", "tfidf_linear"}
    assert result["num_test_examples"] == 60
    test = pl.read_parquet(labelled / "test.parquet").sort("id")
    found = read_predictions(out / "model")
    assert found["id"].to_list() == test["id"].to_list()
    right = (found["predicted"] == test["label"]).mean()
    assert result["systems"]["model"]["accuracy"]["value"] == pytest.approx(right)
    assert sum(row["support"] for row in result["per_class"]) == 60
    assert json.loads((out / "metrics.json").read_text()) == result
    assert (out / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert pl.read_csv(out / "per_class.csv")["label"].to_list() == LABELS
    assert result["systems"]["tfidf_linear"]["accuracy"]["value"] > result["systems"]["majority"]["accuracy"]["value"]


def test_losses_are_those_of_the_gold_label(labelled, networks, tmp_path):
    from lmforge.evaluation.classification import answer
    from lmforge.serving.classifier import Classifier

    answer(networks[0], labelled, tmp_path)
    found = read_predictions(tmp_path)
    test = pl.read_parquet(labelled / "test.parquet").sort("id")
    probabilities = Classifier(networks[0]).probabilities(test["text"].to_list())
    gold = [LABELS.index(label) for label in test["label"]]
    expected = -np.log(probabilities[np.arange(60), gold])
    np.testing.assert_allclose(found["loss"].to_numpy(), expected, rtol=1e-3)
    np.testing.assert_allclose(found["score"].to_numpy(), probabilities.max(-1), rtol=1e-3)


@pytest.mark.parametrize("objective", ["masked_lm", "contrastive_masked_lm", "causal_lm"])
def test_new_weights_are_worse_than_counting(training_data, tmp_path, objective):
    special = special_ids(training_data / "tokenizer")
    architecture = "gpt2" if objective == "causal_lm" else "modernbert"
    config = build_config(architecture, "nano", special, max_positions=64, dropout=0.0)
    model = save(language_model(objective, config), training_data, tmp_path / "model")
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "train/tokens": 100.0, "train/loss": 6.0}\n')
    settings = Pretraining(objective=objective, max_seq_length=32, global_batch_size=8)
    logged = tmp_path / "metrics.jsonl"
    result = evaluate_language_model(model, training_data, settings, logged, tmp_path, bytes_per_token=2.5)
    vocab_size = special.vocab_size
    assert result["model"]["loss"] == pytest.approx(np.log(vocab_size), abs=0.5), "new weights know nothing"
    floors = result["floors"]
    assert floors["5-gram"] < floors["bigram"] < floors["unigram"] < result["model"]["loss"]
    assert result["ngram_order"] == 5
    assert result["floor_perplexities"] == pytest.approx({name: np.exp(loss) for name, loss in floors.items()})
    assert result["num_predicted_tokens"] > 100
    assert result["num_counted_tokens"] == np.load(training_data / "train.npy").size
    bits = {name: loss / np.log(2) / 2.5 for name, loss in floors.items()} if objective == "causal_lm" else None
    assert result.get("floor_bits_per_byte") == (pytest.approx(bits) if bits else None)
    assert ("bits_per_byte" in result["model"]) == (objective == "causal_lm"), "a masked loss is no cost of a text"
    assert json.loads((tmp_path / "metrics.json").read_text()) == result
    assert (tmp_path / "loss.png").is_file()


@pytest.mark.parametrize("objective", ["masked_lm", "causal_lm"])
def test_the_floor_judges_what_the_network_predicts(training_data, tmp_path, objective):
    special = special_ids(training_data / "tokenizer")
    architecture = "gpt2" if objective == "causal_lm" else "bert"
    config = build_config(architecture, "nano", special, max_positions=64, dropout=0.0)
    model = save(language_model(objective, config), training_data, tmp_path / "model")
    logged = tmp_path / "metrics.jsonl"
    logged.write_text('{"step": 1, "train/tokens": 100.0, "train/loss": 6.0}\n')
    settings = Pretraining(objective=objective, max_seq_length=32, global_batch_size=8)
    result = evaluate_language_model(model, training_data, settings, logged, tmp_path)
    rows = language_rows(settings, training_data / "validation.npy", training_data / "tokenizer")
    counted = NgramModel.fit(read_blocks(training_data / "train.npy"), special.vocab_size, special.cls)
    losses = []
    for batch in ValidationBatches(rows, objective_of(settings, model), 8):
        ids, labels = batch["input_ids"].numpy(), batch["labels"].numpy()
        for row, segments in enumerate(batch["segments"].numpy()):
            for number in range(1, segments.max() + 1):
                piece = segments == number
                shown, hidden = ids[row][piece][None], (labels[row][piece] != -100)[None]
                text = np.where(hidden, labels[row][piece], shown)
                if objective == "causal_lm" and piece.sum() > 1:
                    losses.append((counted.causal_loss(shown), hidden.sum()))
                if objective == "masked_lm" and hidden.any():
                    losses.append((counted.masked_loss(text, hidden, range(5), (special.pad,)), hidden.sum()))
    values, weights = np.array(losses).T
    assert result["floors"]["5-gram"] == pytest.approx(np.average(values, weights=weights), rel=1e-9)
    assert result["num_predicted_tokens"] == weights.sum()


@pytest.mark.parametrize(("objective", "architecture"), [("span_corruption", "t5"), ("denoising", "bart")])
def test_a_network_that_rebuilds_a_text_has_a_loss_but_no_floor(training_data, tmp_path, objective, architecture):
    settings = Pretraining(objective=objective, max_seq_length=32, global_batch_size=8)
    special = special_ids(training_data / "tokenizer")
    special = special._replace(vocab_size=special.vocab_size + len(extra_tokens(settings)))
    torch.manual_seed(0)
    network = language_model(objective, build_config(architecture, "nano", special, max_positions=64, dropout=0.0))
    model = save(network, training_data, tmp_path / "model")
    AutoTokenizer.from_pretrained(
        training_data / "tokenizer", extra_special_tokens=list(extra_tokens(settings))
    ).save_pretrained(model)
    logged = tmp_path / "metrics.jsonl"
    logged.write_text(json.dumps({"step": 1, "train/loss": 7.0, "train/tokens": 256}) + "\n")
    result = evaluate_language_model(model, training_data, settings, logged, tmp_path)
    assert result["floors"] == {}
    assert 0 < result["model"]["loss"] < 2 * np.log(special.vocab_size)
    assert (tmp_path / "loss.png").is_file()


@pytest.mark.parametrize("objective", ["masked_lm", "causal_lm"])
def test_documents_are_scored_for_the_gate_beside_counts_of_the_same_tokens(
    training_data, descriptions, tmp_path, objective
):
    special = special_ids(training_data / "tokenizer")
    architecture = "gpt2" if objective == "causal_lm" else "bert"
    config = build_config(architecture, "nano", special, max_positions=64, dropout=0.0)
    model = save(language_model(objective, config), training_data, tmp_path / "model")
    logged = tmp_path / "metrics.jsonl"
    logged.write_text('{"step": 1, "train/tokens": 100.0, "train/loss": 6.0}\n')
    settings = Pretraining(objective=objective, max_seq_length=32, global_batch_size=8)
    documents = pl.DataFrame(
        [(row["id"], row["description"]) for row in descriptions[:20]], schema=["id", "text"], orient="row"
    )
    found = evaluate_language_model(model, training_data, settings, logged, tmp_path, documents=documents)["documents"]
    scores = pl.read_parquet(tmp_path / "documents.parquet")
    assert scores["id"].to_list() == documents["id"].to_list()
    assert found["num_documents"] == 20
    assert found["num_predicted_tokens"] == scores["num_tokens"].sum()
    assert found["floors"]["5-gram"] < found["floors"]["unigram"] < found["value"]
    if objective == "causal_lm":
        tokens = np.load(training_data / "train.npy")
        counted = NgramModel.fit(tokens, special.vocab_size, special.cls)
        encoded = [load_tokenizer(model).encode(text).ids for text in documents["text"]]
        nats = sum(counted.causal_loss(np.array([ids])) * (len(ids) - 1) for ids in encoded)
        assert found["metric"] == "bits_per_byte"
        assert found["floors"]["5-gram"] == pytest.approx(nats / np.log(2) / scores["num_bytes"].sum())
