"""A whole classifier answers in a process of its own; a damaged one does not, and the reason is said."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import torch
from transformers import AutoTokenizer

from lmforge.errors import InputError, IntegrityError
from lmforge.serving.self_test import answer, answers_in_clean_process, loading_already
from models.architectures import Special, build_config, classifier

SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=600)


def release(directory, training_data, poison=False):
    torch.manual_seed(0)
    model = classifier(["a", "b"], config=build_config("bert", "nano", SPECIAL, max_positions=64, dropout=0.0))
    if poison:
        with torch.no_grad():
            next(model.classifier.parameters()).fill_(float("nan"))
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(training_data / "tokenizer").save_pretrained(directory)
    return directory


def test_a_whole_model_answers_in_a_clean_process_and_a_damaged_one_does_not(training_data, tmp_path):
    whole = release(tmp_path / "whole", training_data)
    answers_in_clean_process(whole)
    cut = shutil.copytree(whole, tmp_path / "cut")
    with (cut / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(IntegrityError, match="the model does not answer: "):
        answers_in_clean_process(cut)


def test_a_process_that_loads_already_answers_once_and_others_follow(training_data, tmp_path):
    whole = release(tmp_path / "whole", training_data)
    with loading_already() as self_test:
        self_test(whole)
        with pytest.raises(IntegrityError, match="the model does not answer: "):
            self_test(tmp_path)
    with loading_already():
        pass  # a rollback that was refused asks nothing


def test_the_answer_is_a_probability(training_data, tmp_path):
    assert 0.5 <= answer(release(tmp_path / "whole", training_data)) <= 1
    with pytest.raises(IntegrityError, match="the probability of its answer is nan"):
        answer(release(tmp_path / "poisoned", training_data, poison=True))
    with pytest.raises(InputError):
        answer(tmp_path)


def test_to_load_a_tokenizer_imports_no_recipe():
    """A rollback waits for these imports."""
    code = "import sys, lmforge.tokenization.tokenizer; print([one for one in sys.modules if 'recipe' in one])"
    answered = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answered.stdout.strip() == "[]"
