"""Going on with new text: what was learned before is forgotten, and less so with replay."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import pytest
import torch

from lmforge.recipe.mixing import Replay
from lmforge.tokenization.encoding import encode
from lmforge.tokenization.packing import write_blocks, write_origin
from lmforge.tokenization.tokenizer import load_tokenizer
from lmforge.training.building import build_model
from lmforge.training.mixing import TrainingData
from tests.tiny import SAMPLE

LENGTH = 32
SETTINGS = {"objective": "causal_lm", "architecture": "gpt2", "global_batch_size": 16, "learning_rate": 3e-3}


@pytest.fixture
def new_text(training_data, tmp_path):
    """Libraries of Haskell, in the tokens of the descriptions of games, network programs and text tools."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        texts = [row["description"] for row in map(json.loads, file) if row["section"] == "haskell"][:300]
    directory, tokenizer = tmp_path / "new", load_tokenizer(training_data / "tokenizer")
    directory.mkdir()
    for split, part in (("train", slice(30, None)), ("validation", slice(0, 30))):
        write_blocks(directory / f"{split}.npy", [encode(tokenizer, texts[part])], LENGTH)
    write_origin(directory, training_data / "tokenizer", LENGTH)
    return directory


def result(done):
    assert done.run() == 0, done.errors.read_text(encoding="utf-8")
    return json.loads(done.spec.result_file.read_text(encoding="utf-8"))


def loss_of(spec) -> float:
    """Validation loss of the model that a spec starts from."""
    data, model, totals = TrainingData(spec), build_model(spec).eval(), Counter()
    with torch.inference_mode():
        for batch in data.validation():
            totals.update(data.objective.sums(model, batch))
    return data.objective.metrics(totals)["loss"]


@pytest.mark.slow
def test_replay_forgets_less(make_spec, program, new_text, training_data):
    # A base that has learned little goes on learning language from any text, and has little to forget.
    base = program(make_spec("base", **SETTINGS, max_steps=300, eval_every_n_steps=300))
    before = result(base)["val/loss"]
    going_on = {"start": base.spec.model_dir, "data": new_text}
    plain = program(make_spec("plain", **SETTINGS, max_steps=100).model_copy(update=going_on))
    replayed = make_spec("replayed", **SETTINGS, max_steps=100, replay=Replay(share=0.25, tokens="x"))
    with_replay = result(program(replayed.model_copy(update=going_on | {"replay": training_data})))
    without = result(plain)
    forgotten = loss_of(make_spec(**SETTINGS, start=plain.spec.model_dir)) - before
    assert forgotten > 0.1
    assert with_replay["val/replay_loss"] - before < 0.7 * forgotten
    assert with_replay["val/loss"] < without["val/loss"] + 0.3, "the new text is learned all the same"
