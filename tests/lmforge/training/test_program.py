"""Resuming equals continuing, compared with `==`: every row of the metrics and every byte of the weights."""

from __future__ import annotations

import json
import signal

import pytest

from lmforge.training.checkpoints import newest_checkpoint


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


def test_batches_in_parts_with_recomputed_activations_resume_exactly(make_spec, program):
    settings = {"micro_batch_size": 2, "gradient_checkpointing": True, "dropout": 0.1, "max_steps": 16}
    whole, parts = (program(make_spec(name, **settings)) for name in ("whole", "parts"))
    assert whole.run() == 0
    assert [parts.run(stop_at=6), parts.run()] == [143, 0]
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()
    assert steps(whole.rows(), "train/gradient_norm") == list(range(1, 17)), "a batch of parts is one step"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_fine_tuning_resumes_exactly(program, finetuning, number):
    whole, parts = (program(finetuning(name, dropout=0.1)) for name in ("whole", "parts"))
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
    """A checkpoint of a step whose validation is not in the file, as a signal during the validation leaves it."""
    whole, parts = (program(make_spec(name, max_steps=20, eval_every_n_steps=5)) for name in ("whole", "parts"))
    assert whole.run() == 0
    # 15 rows of steps and two of validations: the next thing is the third validation.
    assert parts.run(fault="train.metrics.appended:sigterm:17") == 143
    assert [row["step"] for row in parts.rows() if "val/loss" in row] == [5, 10]
    assert newest_checkpoint(parts.spec.checkpoints).stem == "step-000000015"
    assert parts.run() == 0
    assert parts.rows() == whole.rows()


def test_rows_that_somebody_changed_are_not_gone_on_from(make_spec, program):
    cut = program(make_spec(max_steps=20))
    assert cut.run(stop_at=12) == 143
    rows = cut.spec.metrics_file.read_text(encoding="utf-8").splitlines(keepends=True)
    cut.spec.metrics_file.write_text("".join(rows[1:]), encoding="utf-8")
    assert cut.run() == 1
    assert "not the rows that were there when the checkpoint was written" in cut.errors.read_text(encoding="utf-8")


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


def test_dropout_acts_from_the_first_step_of_fine_tuning(program, finetuning):
    losses = []
    for name, dropout in (("without", 0.0), ("with", 0.5)):
        one = program(finetuning(name, dropout=dropout, max_steps=3, warmup_steps=1))
        assert one.run() == 0
        losses.append(one.rows()[0]["train/loss"])
    assert losses[0] != losses[1]


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
    settings = {"objective": "sequence_classification", "architecture": architecture, "max_steps": 4}
    task = program(make_spec("task", start=base.spec.model_dir, **settings))
    assert task.run() == 0, task.errors.read_text(encoding="utf-8")
