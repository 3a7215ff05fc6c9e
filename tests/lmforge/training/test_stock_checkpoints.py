"""Checkpoints as others publish them go on learning, and what is released reads text as they do."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from lmforge.errors import InputError
from lmforge.evaluation.language import evaluate_language_model
from lmforge.evaluation.language_documents import DocumentScorer
from lmforge.recipe.optimization import Pretraining
from lmforge.serving.classifier import Classifier
from lmforge.tokenization.adopting import adopt_tokenizer
from lmforge.tokenization.encoding import encode
from lmforge.tokenization.packing import write_blocks, write_origin
from lmforge.tokenization.roles import document_tokenizer, roles_of
from lmforge.training.mixing import TrainingData
from lmforge.training.objectives import extra_tokens, objective_of, special_ids
from models.objectives.masked_lm import IGNORED
from tests.stock import stock_checkpoint

LENGTH = 32
LEARNED = [
    ("gpt2", "causal_lm"), ("llama", "causal_lm"), ("llama3", "causal_lm"), ("t5", "span_corruption"),
    ("bart", "denoising"), ("bart", "span_corruption"), ("modernbert", "masked_lm"),
    ("modernbert", "contrastive_masked_lm"), ("bert", "masked_lm"), ("bert", "sentence_order"),
]  # fmt: skip
ODD = ["Hello, the package!", " leading", "naïve 日本語 🙂", ""]


@pytest.fixture(scope="module")
def start(tmp_path_factory, descriptions):
    texts = [row["description"] for row in descriptions]
    return cache(lambda name: stock_checkpoint(name, texts, tmp_path_factory.mktemp(name)))


@pytest.fixture(scope="module")
def tokens(start, training_data, tmp_path_factory, descriptions):
    """What the stage tokenize leaves, with the tokenizer of a start, and labelled texts."""

    def make(name):
        directory = tmp_path_factory.mktemp(f"tokens-{name}")
        adopt_tokenizer(start(name), LENGTH, directory / "tokenizer")
        tokenizer = document_tokenizer(directory / "tokenizer")
        texts = [row["description"] for row in descriptions]
        for split, part in (("train", slice(40, None)), ("validation", slice(0, 40))):
            write_blocks(directory / f"{split}.npy", [encode(tokenizer, texts[part])], LENGTH)
            (directory / f"{split}.parquet").write_bytes((training_data / f"{split}.parquet").read_bytes())
        write_origin(directory, directory / "tokenizer", LENGTH)
        return directory

    return cache(make)


@pytest.fixture
def spec_of(make_spec, start, tokens):
    def make(name, objective):
        short = {"max_steps": 2, "warmup_steps": 1, "eval_every_n_steps": 2}
        spec = make_spec(objective=objective, start=start(name), **short)
        model_type = json.loads((start(name) / "config.json").read_text())["model_type"]
        changed = {"tokenizer": tokens(name) / "tokenizer", "data": tokens(name), "architecture": model_type}
        return spec.model_copy(update=changed)

    return make


def same_ids(directory, start, texts):
    theirs = AutoTokenizer.from_pretrained(start, local_files_only=True, split_special_tokens=True)
    ours = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    return ours(texts)["input_ids"] == theirs(texts)["input_ids"]


@pytest.mark.parametrize(("name", "objective"), LEARNED)
def test_it_learns_on_and_reads_as_before(spec_of, program, start, descriptions, name, objective):
    done = program(spec_of(name, objective))
    assert done.run() == 0, done.errors.read_text(encoding="utf-8")
    losses = [row["train/loss"] for row in done.rows() if "train/loss" in row]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert same_ids(done.spec.model_dir, start(name), [*ODD, *(row["description"] for row in descriptions[:20])])
    sizes = [json.loads((one / "config.json").read_text())["vocab_size"] for one in (start(name), done.spec.model_dir)]
    more = len(extra_tokens(done.spec.settings)) if name == "bart" else 0
    assert sizes[1] == sizes[0] + more, "sentinels that the tokenizer has need no new rows"
    page = next(done.spec.samples.iterdir()).read_text(encoding="utf-8")
    assert "nothing" not in page and len(page.splitlines()) > 4


def test_hidden_tokens_are_text_and_random_ones_too(spec_of, tokens):
    data = TrainingData(spec_of("modernbert", "masked_lm"))
    roles = roles_of(tokens("modernbert") / "tokenizer")
    for step in range(2):
        batch = data.training(0).batch(step)
        ids, labels = batch["input_ids"].numpy(), batch["labels"].numpy()
        chosen = labels != IGNORED
        assert roles.ordinary[labels[chosen]].all()
        assert (roles.ordinary[ids[chosen]] | (ids[chosen] == roles.mask)).all()
        assert (ids[batch["attention_mask"].numpy() == 0] == roles.pad).all()


def test_sentinels_of_t5_are_those_of_its_tokenizer(tokens):
    tokenizer = AutoTokenizer.from_pretrained(tokens("t5") / "tokenizer", local_files_only=True)
    objective = objective_of(Pretraining(objective="span_corruption"), tokens("t5") / "tokenizer")
    names = [f"<extra_id_{number}>" for number in range(100)]
    assert objective.sentinels.tolist() == tokenizer.convert_tokens_to_ids(names)
    assert objective.sentinels[0] == len(tokenizer) - 1
    shown = objective.collate(np.arange(200, 232)[None], np.random.default_rng(0))["input_ids"]
    assert [one for one in shown[0].tolist() if one >= 400] == objective.sentinels[: (shown[0] >= 400).sum()].tolist()


def test_an_objective_without_its_token_is_bad_input(spec_of, tokens):
    with pytest.raises(InputError, match=r"denoising needs a token for mask, .* can be learned: span_cor"):
        TrainingData(spec_of("t5", "denoising"))
    special = special_ids(tokens("t5") / "tokenizer")
    assert (special.cls, special.mask, special.pad) == (-1, -1, 0)


def test_evidence_counts_every_token_of_a_text(spec_of, program, tokens, tmp_path, descriptions):
    done = program(spec_of("gpt2", "causal_lm"))
    assert done.run() == 0
    documents = pl.DataFrame({"id": ["a", "b"], "text": [row["description"] for row in descriptions[:2]]})
    out = tmp_path / "out"
    out.mkdir()
    settings, model = done.spec.settings, done.spec.model_dir
    result = evaluate_language_model(model, tokens("gpt2"), settings, done.spec.metrics_file, out, 4.0, documents)
    assert result["floors"].keys() == {"unigram", "bigram", "5-gram"}
    scores = DocumentScorer(model, settings).score(documents)
    plain = AutoTokenizer.from_pretrained(model, local_files_only=True)
    expected = [len(plain(text)["input_ids"]) + 1 for text in documents["text"]]
    assert scores["num_tokens"].to_list() == expected, "all of them, the first too, and the end"


@pytest.mark.parametrize("name", ["gpt2", "llama", "t5", "bart", "modernbert"])
def test_a_task_is_learned_from_it_and_answered_by_its_last_token(spec_of, program, start, tokens, descriptions, name):
    done = program(spec_of(name, "sequence_classification"))
    assert done.run() == 0, done.errors.read_text(encoding="utf-8")
    texts = [row["description"] for row in descriptions[:9]]
    assert same_ids(done.spec.model_dir, start(name), [*ODD, *texts])
    classifier = Classifier(done.spec.model_dir)
    together = classifier.probabilities(texts)
    assert np.isfinite(classifier.probabilities([""])).all(), "a text of no token has an answer, too"
    alone = np.concatenate([classifier.probabilities([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    model = AutoModelForSequenceClassification.from_pretrained(done.spec.model_dir, local_files_only=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(done.spec.model_dir, local_files_only=True)
    with torch.inference_mode():
        theirs = model(**tokenizer(texts[0], return_tensors="pt", truncation=True)).logits.softmax(-1)[0]
    np.testing.assert_allclose(together[0], theirs.numpy(), atol=1e-5)
