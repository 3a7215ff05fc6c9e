"""Steps that are not finite: the end, or a step without an update, up to the limit.

The network that the runs start from has a NaN in the embedding of one token, which some training batches hold and the
validation data does not.
"""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from lmforge.training.batches import TrainingBatches
from lmforge.training.checkpoints import newest_checkpoint
from lmforge.training.objectives import objective_of
from lmforge.training.rows import ExampleRows

NUM_STEPS = 24


@pytest.fixture
def poisoned(make_spec, program, training_data):
    """A model directory and the id of its poisoned token."""
    base = program(make_spec("base", max_steps=2, warmup_steps=1))
    assert base.run() == 0
    tokenizer = Tokenizer.from_file(str(training_data / "tokenizer" / "tokenizer.json"))
    ids = [
        [
            one.ids
            for one in tokenizer.encode_batch(pl.read_parquet(training_data / f"{split}.parquet")["text"].to_list())
        ]
        for split in ("train", "validation")
    ]
    held = {token for row in ids[1] for token in row}
    counts = np.bincount([token for row in ids[0] for token in set(row[:32])], minlength=600)
    token = next(int(one) for one in np.argsort(-counts) if one not in held and one > 5)
    file = base.spec.model_dir / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if "word_embeddings" in name)
    tensors[name][token] = np.float32("nan")
    save_file(tensors, file, metadata={"format": "pt"})
    return base.spec.model_dir, token


def spec_of(make_spec, name: str, start, **changes):
    settings = {"max_steps": NUM_STEPS, "eval_every_n_steps": NUM_STEPS, "checkpoint_every_n_steps": 1, **changes}
    return make_spec(name, objective="sequence_classification", start=start, **settings)


def bad_batches(spec, token: int) -> dict[int, list[int]]:
    """Steps, counted from 1, whose batch holds the token, and the rows of each."""
    rows = ExampleRows(spec.data / "train.parquet", spec.tokenizer, spec.labels, spec.settings.max_seq_length)
    objective = objective_of(spec.settings, spec.tokenizer)
    size = spec.settings.global_batch_size
    batches = TrainingBatches(rows, objective, batch_size=size, max_steps=NUM_STEPS, seed=spec.seed, pool_batches=1)
    bad = [step for step in range(NUM_STEPS) if (batches.batch(step)["input_ids"] == token).any()]
    return {step + 1: batches.indices(step).tolist() for step in bad}


def test_skipping_goes_on_without_an_update_and_resumes_exactly(make_spec, program, poisoned):
    start, token = poisoned
    whole, parts = (
        program(spec_of(make_spec, name, start, not_finite="skip", max_skipped_steps=NUM_STEPS))
        for name in ("whole", "parts")
    )
    bad = bad_batches(whole.spec, token)
    assert 0 < len(bad) < NUM_STEPS, "some steps, not all"
    assert whole.run() == 0, whole.errors.read_text(encoding="utf-8")
    skipped = [json.loads(line) for line in whole.spec.skipped_file.read_text(encoding="utf-8").splitlines()]
    assert {row["step"]: row["rows"] for row in skipped} == bad
    assert {row["what"] for row in skipped} == {"train/loss is nan"}
    logged = [row["step"] for row in whole.rows() if "train/loss" in row]
    assert logged == [step for step in range(1, NUM_STEPS + 1) if step not in bad]
    assert [row["train/skipped_steps"] for row in whole.rows() if "train/skipped_steps" in row] == list(
        range(1, len(bad) + 1)
    )
    assert f"the step is skipped, {len(bad)} so far" in whole.errors.read_text(encoding="utf-8")
    assert parts.run(stop_at=NUM_STEPS // 2) == 143
    assert parts.run() == 0
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()
    assert parts.spec.skipped_file.read_bytes() == whole.spec.skipped_file.read_bytes()


def test_too_many_skipped_steps_end_the_run(make_spec, program, poisoned):
    start, token = poisoned
    limited = program(spec_of(make_spec, "limited", start, not_finite="skip", max_skipped_steps=1))
    second = sorted(bad_batches(limited.spec, token))[1]
    assert limited.run() == 1
    printed = limited.errors.read_text(encoding="utf-8")
    assert f"train/loss is nan at step {second}, and 1 steps were skipped before" in printed
    assert not limited.spec.model_dir.exists()
    assert not limited.spec.result_file.exists()
    assert newest_checkpoint(limited.spec.checkpoints).name == f"step-{second - 1:09d}.ckpt"


def test_stopping_names_step_and_rows_and_keeps_the_checkpoint_before(make_spec, program, poisoned):
    start, token = poisoned
    stopped = program(spec_of(make_spec, "stopped", start))
    bad = bad_batches(stopped.spec, token)
    first = min(bad)
    assert stopped.run() == 1
    printed = stopped.errors.read_text(encoding="utf-8")
    assert f"stopped: train/loss is nan at step {first}; lower learning_rate (0.002) or raise warmup_steps" in printed
    assert f"the batch is of the rows {', '.join(map(str, bad[first]))}" in printed
    newest = newest_checkpoint(stopped.spec.checkpoints)
    assert (newest.name if newest else None) == (f"step-{first - 1:09d}.ckpt" if first > 1 else None)
    assert not stopped.spec.result_file.exists()
