"""What the training program refuses or gives up, and what it leaves behind then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lmforge.computing import training_settings
from lmforge.training.checkpoints import newest_checkpoint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "causal_lm", "architecture": "bert"}, "architecture bert does not fit objective causal_lm"),
        ({"objective": "masked_lm", "architecture": "gpt2"}, "architecture gpt2 does not fit objective masked_lm"),
        ({"architecture": "lstm"}, "unknown architecture 'lstm': expected one of bert, modernbert, gpt2"),
    ],
)
def test_what_cannot_be_trained_is_bad_input(make_spec, program, changes, message):
    refused = program(make_spec(**changes))
    assert refused.run() == 2
    assert message in refused.errors.read_text(encoding="utf-8")


def test_missing_data_and_start_are_bad_input(make_spec, program, tmp_path):
    spec = make_spec("nodata")
    for changes, message in (
        ({"data": tmp_path}, "train.npy: no such file"),
        ({"tokenizer": tmp_path}, "no tokenizer here (tokenizer.json is missing)"),
    ):
        refused = program(spec.model_copy(update=changes))
        assert refused.run() == 2
        assert message in refused.errors.read_text(encoding="utf-8")
    nowhere = make_spec("nostart", objective="sequence_classification").model_copy(update={"start": tmp_path / "no"})
    refused = program(nowhere)
    assert refused.run() == 2
    assert "no model that can be started from" in refused.errors.read_text(encoding="utf-8")


def test_loss_that_is_not_finite_ends_without_a_model(program, base, finetuning):
    """A start whose weights hold a NaN."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(base / "model.safetensors")
    name = next(name for name in tensors if "word_embeddings" in name)
    tensors[name] = tensors[name] * np.float32("nan")
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    diverged = program(finetuning("diverged"))
    code = diverged.run()
    printed = diverged.errors.read_text(encoding="utf-8")
    assert code == 1, printed
    assert "diverged: train/loss is nan at step 1; lower learning_rate (0.002)" in printed
    assert newest_checkpoint(diverged.spec.checkpoints) is None
    assert not diverged.spec.model_dir.exists()
    assert not diverged.spec.result_file.exists()


def test_another_recipe_does_not_go_on_from_the_checkpoints(make_spec, program):
    begun = program(make_spec(max_steps=200))
    assert begun.run(stop_at=3) == 143
    checkpoint = newest_checkpoint(begun.spec.checkpoints)
    changed = program(make_spec(max_steps=200, learning_rate=1e-4, dropout=0.3))
    assert changed.run() == 2
    printed = changed.errors.read_text(encoding="utf-8")
    assert "settings.learning_rate: 0.002 then, 0.0001 now" in printed
    assert "settings.dropout: 0.0 then, 0.3 now" in printed
    assert newest_checkpoint(begun.spec.checkpoints) == checkpoint


def test_second_program_in_a_directory_is_refused_and_the_first_goes_on(make_spec, program):
    spec = make_spec(max_steps=2000)
    first, second = program(spec), program(spec)
    codes = []
    running = threading.Thread(target=lambda: codes.append(first.run(stop_at=60)))
    running.start()
    while running.is_alive() and first.last_step() < 3:
        time.sleep(0.01)
    assert second.run() == 1
    assert "another process trains here: process " in second.errors.read_text(encoding="utf-8")
    running.join()
    assert codes == [143]
    assert newest_checkpoint(spec.checkpoints) is not None


def test_writer_that_was_replaced_stops_without_a_trace(make_spec, program):
    """Somebody deleted the lock, and another process claimed the directory."""
    spec = make_spec(max_steps=2000, checkpoint_every_n_steps=2000)
    replaced = program(spec)
    codes = []
    running = threading.Thread(target=lambda: codes.append(replaced.run()))
    running.start()
    while running.is_alive() and replaced.last_step() < 3:
        time.sleep(0.01)
    owner = spec.run_dir / "owner.json"
    owner.write_text(json.dumps(json.loads(owner.read_bytes()) | {"token": 99, "pid": 4711}), encoding="utf-8")
    running.join()
    assert codes == [1]
    assert "no longer held by this process but by process 4711" in replaced.errors.read_text(encoding="utf-8")
    assert newest_checkpoint(spec.checkpoints) is None
    assert not spec.result_file.exists()


def test_stopped_program_prints_the_command_that_goes_on(make_spec, program):
    stopped = program(make_spec(max_steps=2000))
    assert stopped.run(stop_at=3) == 143
    printed = stopped.errors.read_text(encoding="utf-8")
    assert f"go on with: {sys.executable} -m lmforge.training {stopped.spec_file}" in printed


def test_program_started_by_hand_starts_with_the_settings_that_are_read_before_python(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in training_settings()}
    os.mkfifo(fifo := tmp_path / "spec.json")
    started = subprocess.Popen([sys.executable, "-m", "lmforge.training", str(fifo)], env=environment)
    try:
        with fifo.open("w", encoding="utf-8") as spec:  # opens when the program does
            seen = Path(f"/proc/{started.pid}/environ").read_text(encoding="utf-8").split("\0")
            spec.write("{}")
        assert {f"{name}={value}" for name, value in training_settings().items()} <= set(seen)
        assert started.wait(60) == 2
    finally:
        started.kill()
