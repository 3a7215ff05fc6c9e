"""A released directory answers the same through us and through `transformers` alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from lmforge.errors import InputError
from lmforge.serving.classifier import Classifier
from models.architectures import Special, build_config, classifier, language_model

SECTIONS = ["games", "net", "text"]
SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=600)
LENGTH = 32


@pytest.fixture(scope="module", params=["bert", "modernbert", "gpt2"])
def released(request, tmp_path_factory, training_data):
    """A classifier whose answers differ between texts."""
    directory = tmp_path_factory.mktemp("released")
    torch.manual_seed(0)
    model = classifier(SECTIONS, config=build_config(request.param, "nano", SPECIAL, max_positions=64, dropout=0.3))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.0)
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(training_data / "tokenizer").save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def texts(descriptions):
    return ["", "a", *(row["description"] for row in descriptions[:150])]


def test_probabilities_sum_to_one_and_keep_the_order(released, texts):
    asked = Classifier(released)
    together = asked.probabilities(texts)
    assert together.shape == (len(texts), 3)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together.sum(-1), 1, atol=1e-6)
    alone = np.concatenate([asked.probabilities([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_labels_equal_those_of_transformers_alone(released, texts):
    model = AutoModelForSequenceClassification.from_pretrained(released).eval()
    tokenizer = AutoTokenizer.from_pretrained(released)
    answers = Classifier(released).predict(texts)
    assert len({round(answer.probability, 4) for answer in answers}) > 30
    for text, answer in zip(texts, answers, strict=True):
        with torch.inference_mode():
            logits = model(**tokenizer(text, truncation=True, return_tensors="pt")).logits[0]
        assert model.config.id2label[int(logits.argmax())] == answer.label
        assert float(logits.softmax(-1).max()) == pytest.approx(answer.probability, abs=1e-5)


def test_long_text_is_cut_where_training_cut_it(released, texts):
    asked = Classifier(released)
    long = " ".join(texts[2:12])
    ids = asked.tokenizer.encode(long).ids
    assert len(ids) == LENGTH
    assert ids[-1] == SPECIAL.sep
    np.testing.assert_array_equal(asked.probabilities([long]), asked.probabilities([long + " more and more"]))


def test_no_text_no_answer(released):
    assert Classifier(released).predict([]) == []
    assert Classifier(released).probabilities([]).shape == (0, 3)


def test_what_is_no_classifier_is_bad_input(released, tmp_path, training_data):
    with pytest.raises(InputError, match=r"no model here \(config\.json is missing\)"):
        Classifier(tmp_path)
    base = language_model("masked_lm", build_config("bert", "nano", SPECIAL, max_positions=64, dropout=0))
    base.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="not a classifier but BertForMaskedLM"):
        Classifier(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        Classifier(tmp_path)
    (tmp_path / "config.json").write_text((released / "config.json").read_text())
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="the model cannot be loaded"):
        Classifier(tmp_path)


def test_directory_names_its_labels(released):
    config = json.loads((released / "config.json").read_text())
    assert list(config["id2label"].values()) == SECTIONS == Classifier(released).labels
    assert all(np.isfinite(tensor).all() for tensor in load_file(released / "model.safetensors").values())
