"""A released base model of each kind answers, alone and in the self-test that a promotion makes."""

import pytest
import torch
from transformers import AutoTokenizer

from lmforge.errors import InputError, IntegrityError
from lmforge.serving.language import LanguageModel, language_kind
from lmforge.serving.self_test import answer
from lmforge.training.objectives import special_ids
from models.architectures import build_config, classifier, language_model


def saved(directory, training_data, objective, architecture, poison=False):
    config = build_config(architecture, "nano", special_ids(training_data / "tokenizer"), max_positions=64, dropout=0.0)
    network = language_model(objective, config) if objective else classifier(["a", "b"], config=config)
    if poison:
        with torch.no_grad():
            next(network.parameters()).fill_(float("nan"))
    network.save_pretrained(directory)
    AutoTokenizer.from_pretrained(training_data / "tokenizer").save_pretrained(directory)
    return directory


@pytest.mark.parametrize(
    ("objective", "architecture"),
    [
        ("masked_lm", "modernbert"), ("sentence_order", "bert"), ("causal_lm", "gpt2"), ("causal_lm", "llama"),
        ("denoising", "bart"), ("denoising", "t5"),
    ],
)  # fmt: skip
def test_every_kind_answers_with_a_probability(tmp_path, training_data, objective, architecture):
    directory = saved(tmp_path, training_data, objective, architecture)
    asked = LanguageModel(directory)
    assert 0 < asked.answer("games") <= 1
    assert 0 < asked.answer("games and " * 500) <= 1
    assert 0 < answer(directory) <= 1


def test_what_diverged_fails_the_self_test(tmp_path, training_data):
    with pytest.raises(IntegrityError, match="the probability of its answer is nan"):
        answer(saved(tmp_path, training_data, "causal_lm", "gpt2", poison=True))


def test_what_is_no_language_model_is_said(tmp_path, training_data):
    directory = saved(tmp_path, training_data, None, "bert")
    assert language_kind(directory) is None
    with pytest.raises(InputError, match="not a language model"):
        LanguageModel(directory)
    with pytest.raises(InputError, match=r"config\.json is missing"):
        language_kind(tmp_path / "none")
    (directory / "config.json").write_text("[")
    with pytest.raises(InputError, match="not JSON"):
        language_kind(directory)
