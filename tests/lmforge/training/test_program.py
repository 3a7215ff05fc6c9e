"""Resuming equals continuing, compared with `==`: every row of the metrics and every byte of the weights."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from lmforge.training.checkpoints import newest_checkpoint


def finetuning(make_spec, name: str, start, **changes):
    changes = {"max_steps": 40, "eval_every_n_steps": 9, "checkpoint_every_n_steps": 6, **changes}
    return make_spec(name, objective="sequence_classification", start=start, **changes)


@pytest.fixture
def base(make_spec, program):
    """A pre-trained model directory."""
    whole = program(make_spec("base", max_steps=6))
    assert whole.run() == 0
    return whole.spec.model_dir


def steps(rows, metric: str) -> list[int]:
    return [row["step"] for row in rows if metric in row]


@pytest.mark.parametrize(
    ("architecture", "objective", "dropout"),
    [
        ("bert", "masked_lm", 0.1),
        ("modernbert", "masked_lm", 0.0),
        ("modernbert", "contrastive_masked_lm", 0.1),
        ("gpt2", "causal_lm", 0.2),
        ("t5", "span_corruption", 0.1),
        ("bart", "denoising", 0.1),
        ("electra", "replaced_token_detection", 0.1),
    ],
)
def test_stopping_twice_changes_nothing(make_spec, program, architecture, objective, dropout):
    settings = {"architecture": architecture, "objective": objective, "dropout": dropout, "max_steps": 40}
    whole, parts = (program(make_spec(name, **settings)) for name in ("whole", "parts"))
    assert whole.run() == 0
    assert [parts.run(stop_at=4), parts.run(stop_at=17), parts.run()] == [143, 143, 0]
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()
    assert steps(whole.rows(), "train/loss") == list(range(1, 41))
    assert steps(whole.rows(), "val/loss") == [7, 14, 21, 28, 35, 40]
    assert "start it again to go on" in parts.errors.read_text(encoding="utf-8")
    assert len(list(parts.spec.checkpoints.glob("*.ckpt"))) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_fine_tuning_resumes_exactly(make_spec, program, base, number):
    whole, parts = (program(finetuning(make_spec, name, base, dropout=0.1)) for name in ("whole", "parts"))
    assert whole.run() == 0
    assert parts.run(stop_at=10, number=number) == (143 if number == signal.SIGTERM else -9)
    assert parts.run(stop_at=20, number=number) != 0
    assert parts.run() == 0
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()


def test_damaged_checkpoint_is_passed_over(make_spec, program):
    whole, parts = (program(make_spec(name, max_steps=40)) for name in ("whole", "parts"))
    assert whole.run() == 0
    assert parts.run(stop_at=13) == 143
    newest = newest_checkpoint(parts.spec.checkpoints)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    assert parts.run() == 0
    printed = parts.errors.read_text(encoding="utf-8")
    assert f"{newest} is damaged" in printed
    assert "going on from step-000000010.ckpt" in printed
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()


def test_validation_that_a_stop_cut_off_is_made_up_for(make_spec, program):
    """A checkpoint of a step whose validation is not in the file, as a kill between the two leaves it."""
    whole, parts = (program(make_spec(name, max_steps=20, eval_every_n_steps=5)) for name in ("whole", "parts"))
    assert whole.run() == 0
    assert parts.run() == 0
    rows = parts.spec.metrics_file.read_text(encoding="utf-8").splitlines(keepends=True)
    cut = next(index for index, row in enumerate(rows) if '"step": 15' in row and "val/loss" in row)
    parts.spec.metrics_file.write_text("".join(rows[:cut]) + '{"step": 15, "val', encoding="utf-8")
    (parts.spec.checkpoints / "step-000000020.ckpt").unlink()
    assert parts.run() == 0
    assert parts.rows() == whole.rows()


def test_finished_run_writes_its_model_again(make_spec, program):
    """As after a kill between the last step and the store's commit."""
    twice = program(make_spec(max_steps=6))
    assert twice.run() == 0
    first, rows, result = twice.weights(), twice.rows(), twice.spec.result_file.read_bytes()
    for file in twice.spec.model_dir.iterdir():
        file.unlink()
    assert twice.run() == 0
    assert (twice.weights(), twice.rows(), twice.spec.result_file.read_bytes()) == (first, rows, result)


def test_signal_before_the_first_step_ends_the_program(make_spec, program):
    early = program(make_spec(max_steps=1000))
    assert early.run(stop_at=0) in (143, -15)
    assert not early.spec.result_file.exists()


def test_ctrl_c_ends_with_130_and_a_checkpoint(make_spec, program):
    stopped = program(make_spec(max_steps=200, checkpoint_every_n_steps=200))
    assert stopped.run(stop_at=3, number=signal.SIGINT) == 130
    assert newest_checkpoint(stopped.spec.checkpoints) is not None
    assert not stopped.spec.result_file.exists()


def test_signal_during_validation_leaves_a_checkpoint_at_once(make_spec, program):
    """Validation over single blocks is long beside a step, so the signal comes while it runs."""
    settings = {"max_steps": 8, "global_batch_size": 1, "eval_every_n_steps": 4, "checkpoint_every_n_steps": 100}
    whole, parts = (program(make_spec(name, **settings)) for name in ("whole", "parts"))
    assert whole.run() == 0
    assert parts.run(stop_at=4) == 143
    assert parts.run() == 0
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()


def test_result_and_model_directory(make_spec, program):
    done = program(make_spec(max_steps=5))
    assert done.run() == 0
    result = json.loads(done.spec.result_file.read_text(encoding="utf-8"))
    last = {name: value for row in done.rows() if row["step"] == 5 for name, value in row.items() if name != "step"}
    assert last.items() <= result.items()
    assert result["steps"] == 5
    assert result["train/tokens"] == 5 * 8 * 32
    assert result["parameters"] > 400_000
    assert {path.name for path in done.spec.model_dir.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip


def test_learning_rate_is_that_of_the_step(make_spec, program):
    done = program(make_spec(max_steps=5, warmup_steps=2, learning_rate=1e-3))
    assert done.run() == 0
    rates = [row["train/learning_rate"] for row in done.rows() if "train/learning_rate" in row]
    assert rates == pytest.approx([0.5e-3, 1e-3, 1e-3, 2e-3 / 3, 1e-3 / 3])


def test_seed_decides_the_weights(make_spec, program):
    runs = [program(make_spec(name, seed=seed, max_steps=4)) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert [one.run() for one in runs] == [0, 0, 0]
    first, same, other = (one.weights() for one in runs)
    assert first == same
    assert first != other


def test_dropout_acts_from_the_first_step_of_fine_tuning(make_spec, program, base):
    losses = []
    for name, dropout in (("without", 0.0), ("with", 0.5)):
        one = program(finetuning(make_spec, name, base, dropout=dropout, max_steps=3, warmup_steps=1))
        assert one.run() == 0
        losses.append(one.rows()[0]["train/loss"])
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("objective", "architecture"),
    [
        ("masked_lm", "bert"),
        ("masked_lm", "modernbert"),
        ("contrastive_masked_lm", "bert"),
        ("contrastive_masked_lm", "modernbert"),
        ("sentence_order", "bert"),
        ("causal_lm", "gpt2"),
        ("causal_lm", "llama"),
        ("span_corruption", "bart"),
        ("sequence_classification", "bert"),
        ("sequence_classification", "modernbert"),
        ("sequence_classification", "gpt2"),
        ("sequence_classification", "llama"),
        ("sequence_classification", "t5"),
        ("sequence_classification", "bart"),
    ],
)
def test_loss_falls_for_every_fitting_pair(make_spec, program, objective, architecture):
    settings = {"max_steps": 60, "global_batch_size": 32, "learning_rate": 1e-3, "eval_every_n_steps": 60}
    done = program(make_spec(objective=objective, architecture=architecture, **settings))
    assert done.run() == 0, done.errors.read_text(encoding="utf-8")
    losses = [row["train/loss"] for row in done.rows() if "train/loss" in row]
    assert sum(losses[-15:]) < sum(losses[:15]) * 0.98


@pytest.mark.parametrize(
    ("architecture", "objective", "kept"),
    [
        ("t5", "span_corruption", "T5ForConditionalGeneration"),
        ("electra", "replaced_token_detection", "ElectraForPreTraining"),
        ("bert", "next_sentence", "BertForPreTraining"),
    ],
)
def test_model_directory_is_whole_and_can_be_fine_tuned(make_spec, program, architecture, objective, kept):
    """Its tokenizer names every id that the model has, and no other."""
    from transformers import AutoConfig, AutoTokenizer

    base = program(make_spec("base", architecture=architecture, objective=objective, max_steps=4))
    assert base.run() == 0, base.errors.read_text(encoding="utf-8")
    config = AutoConfig.from_pretrained(base.spec.model_dir, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(base.spec.model_dir, local_files_only=True)
    assert config.architectures == [kept]
    assert config.vocab_size == len(tokenizer)
    task = program(finetuning(make_spec, "task", base.spec.model_dir, architecture=architecture, max_steps=4))
    assert task.run() == 0, task.errors.read_text(encoding="utf-8")


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


def test_loss_that_is_not_finite_ends_without_a_model(make_spec, program, base):
    """A start whose weights hold a NaN."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(base / "model.safetensors")
    name = next(name for name in tensors if "word_embeddings" in name)
    tensors[name] = tensors[name] * np.float32("nan")
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    diverged = program(finetuning(make_spec, "diverged", base))
    code = diverged.run()
    printed = diverged.errors.read_text(encoding="utf-8")
    assert code == 1, printed
    assert "diverged: train/loss is nan at step 1; lower learning_rate (0.002)" in printed
    assert newest_checkpoint(diverged.spec.checkpoints) is None
    assert not diverged.spec.model_dir.exists()
    assert not diverged.spec.result_file.exists()
