"""Going on from a directory: every weight that is there is kept, and what is not is new, named and the seed's."""

from __future__ import annotations

import pytest
import torch
from transformers import BertForMaskedLM

from models.architectures import Special, build_config, classifier, language_model, released
from models.starting import read_config, started_language_model

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=64)
PAIRS = [
    ("bert", "masked_lm"), ("bert", "sentence_order"), ("modernbert", "masked_lm"), ("gpt2", "causal_lm"),
    ("llama", "causal_lm"), ("t5", "span_corruption"), ("bart", "denoising"), ("electra", "masked_lm"),
    ("electra", "replaced_token_detection"),
]  # fmt: skip


def config(architecture, dropout=0.0):
    return build_config(architecture, "nano", SPECIAL, max_positions=32, dropout=dropout)


def saved(model, path):
    model.save_pretrained(path)
    return path


def same(one, other, names):
    first, second = one.state_dict(), other.state_dict()
    return all(torch.equal(first[name], second[name]) for name in names)


@pytest.mark.parametrize(("architecture", "objective"), PAIRS)
def test_a_language_model_goes_on_as_it_is(tmp_path, architecture, objective):
    model = released(language_model(objective, config(architecture)))
    found = started_language_model(objective, saved(model, tmp_path), dropout=0.1, vocab_size=64)
    assert same(model, found.model, model.state_dict())
    assert found.drawn == (("generator",) if objective == "replaced_token_detection" else ())
    assert found.model.config.vocab_size == 64


@pytest.mark.parametrize(("architecture", "objective"), PAIRS)
def test_of_a_classifier_the_body_is_kept_and_the_head_drawn(tmp_path, architecture, objective):
    model = classifier(["a", "b", "c"], config=config(architecture))
    start = saved(model, tmp_path)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(started_language_model(objective, start, dropout=0.0, vocab_size=64))
    weights = {
        name.removeprefix("transformer.") if architecture == "t5" else name: value
        for name, value in model.state_dict().items()
    }
    learned = found[0].model.state_dict()
    body = [name for name in weights if name in learned and "classif" not in name]
    assert all(torch.equal(weights[name], learned[name]) for name in body)
    assert len(body) > 10
    assert same(found[0].model, found[1].model, found[0].model.state_dict()), "new weights are a function of the seed"
    # Heads that are tied to the embeddings are not new: nothing else is missing in decoders and encoder-decoders.
    assert bool(found[0].drawn) == (architecture not in ("gpt2", "llama", "t5", "bart"))
    # A bias is drawn as zeros, whatever the seed.
    drawn_at_random = set(found[0].drawn) - {"decoder.bias"}
    assert same(found[0].model, found[2].model, found[0].model.state_dict()) == (not drawn_at_random)


def test_dropout_is_that_of_the_new_run_and_labels_are_forgotten(tmp_path):
    start = saved(classifier(["a", "b", "c"], config=config("bert", dropout=0.3)), tmp_path)
    read = read_config(start, 0.1)
    assert (read.hidden_dropout_prob, read.num_labels) == (0.1, 2)


def test_tokens_that_the_model_lacks_get_new_rows(tmp_path):
    model = language_model("denoising", config("t5"))
    found = started_language_model("span_corruption", saved(model, tmp_path), dropout=0.0, vocab_size=164)
    weights = found.model.get_input_embeddings().weight
    assert torch.equal(weights[:64], model.get_input_embeddings().weight)
    assert len(weights) == found.model.config.vocab_size == 164
    assert found.drawn == ("embeddings of 100 tokens",)


def test_a_directory_without_the_weights_is_refused(tmp_path):
    model = BertForMaskedLM(config("bert"))
    few = {name: value for name, value in model.state_dict().items() if "bias" in name}
    model.save_pretrained(tmp_path, state_dict=few)
    with pytest.raises(ValueError, match="it lacks most of the weights of a BertForMaskedLM"):
        started_language_model("masked_lm", tmp_path, dropout=0.0, vocab_size=64)


def test_what_cannot_be_gone_on_with_is_refused(tmp_path):
    start = saved(BertForMaskedLM(config("bert")), tmp_path)
    with pytest.raises(ValueError, match="architecture bert does not fit objective causal_lm"):
        started_language_model("causal_lm", start, dropout=0.0, vocab_size=64)
    with pytest.raises((OSError, ValueError)):
        started_language_model("masked_lm", tmp_path / "absent", dropout=0.0, vocab_size=64)
