"""A checkpoint as others publish GPT-2 goes through a recipe: its tokenizer, a base model, a classifier of its own."""

from __future__ import annotations

import json

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.command import answered, started
from tests.stock import stock_checkpoint

pytestmark = [pytest.mark.server, pytest.mark.timeout(540)]
CORPUS = """\
name: further
corpus:
  sources: [{kind: files, path: data/descriptions.jsonl, text: description, id: id}]
  cleaning: {languages: [en]}
  validation_share: 0.1
"""
SETTINGS = """\
model: {from: data/gpt2}
pretraining:
  {objective: OBJECTIVE, max_steps: 4, max_seq_length: 64, global_batch_size: 4, warmup_steps: 1, num_threads: 1}
"""
TASK = """\
tasks:
  - name: section
    data: {path: data/descriptions.jsonl, text: description, label: section, id: id}
    finetuning: {max_steps: 4, max_seq_length: 64, global_batch_size: 8, warmup_steps: 1, num_threads: 1}
release: {resamples: 1000}
"""


@pytest.fixture(scope="module")
def start(project):
    rows = map(json.loads, (project / "data" / "descriptions.jsonl").read_text(encoding="utf-8").splitlines())
    recipes = {
        "base": CORPUS + SETTINGS.replace("OBJECTIVE", "causal_lm"),
        "misfit": CORPUS + SETTINGS.replace("OBJECTIVE", "masked_lm"),
        "task": "name: told\nmodel: {from: data/gpt2}\n" + TASK,
    }
    for name, text in recipes.items():
        (project / "recipes" / f"{name}.yaml").write_text(text)
    return stock_checkpoint("gpt2", [row["description"] for row in rows][:300], project / "data" / "gpt2")


def same(model, start, texts):
    ours = AutoTokenizer.from_pretrained(model, local_files_only=True)
    theirs = AutoTokenizer.from_pretrained(start, local_files_only=True)
    return ours(texts)["input_ids"] == theirs(texts)["input_ids"]


TEXTS = ["Hello, a package!", "  two  spaces\n", "naïve \U0001f642"]


def test_a_base_model_goes_on_from_it(project, start):
    document = answered(project, "run", "recipes/base.yaml")
    (kept,) = [stage for stage in document["stages"] if stage["name"] == "pretrain"]
    (model,) = project.glob(f".lmforge/store/**/{kept['key'][:16]}*/model")
    assert same(model, start, TEXTS)
    network = AutoModelForCausalLM.from_pretrained(model, local_files_only=True)
    assert network.config.vocab_size == AutoModelForCausalLM.from_pretrained(start).config.vocab_size
    assert document["base"]["metric"] == "bits_per_byte"


def test_a_classifier_is_made_of_it_without_a_corpus(project, start):
    document = answered(project, "run", "recipes/task.yaml")
    (kept,) = [stage for stage in document["stages"] if stage["name"] == "finetune-section"]
    (model,) = project.glob(f".lmforge/store/**/{kept['key'][:16]}*/model")
    assert same(model, start, TEXTS)
    assert json.loads((model / "tokenizer_config.json").read_text())["split_special_tokens"] is True


def test_what_it_cannot_learn_is_refused_with_what_it_can(project, start):
    done = started(project, "run", "recipes/misfit.yaml")
    assert done.returncode == 2
    assert "architecture gpt2 does not fit objective masked_lm" in done.stderr
