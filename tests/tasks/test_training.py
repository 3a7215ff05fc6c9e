"""The task's side of training: a real program, a real MLflow store, and what happens when either side is stopped."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from lmforge.errors import InputError, TrainingError
from lmforge.recipe import Recipe
from lmforge.training.checkpoints import newest_checkpoint, step_of
from lmforge.training.objectives import special_ids
from models.architectures import build_config, classifier
from tasks import forwarding, tracking, training
from tasks.context import Run


@pytest.fixture
def run(home):
    """A pipeline run whose MLflow store is SQLite in the home."""
    recipe = Recipe.model_validate({"name": "training", "corpus": {"sources": [{"kind": "files", "path": "a.jsonl"}]}})
    experiment_id, run_id = tracking.start_parent(home, recipe, "training.yaml", [])
    return Run(recipe=recipe, recipe_path="training.yaml", home=home, run_id=run_id, experiment_id=experiment_id)


def history(run: Run, child: str, metric: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in tracking.client(run.home).get_metric_history(child, metric)]


def children(run: Run) -> list:
    found = tracking.client(run.home).search_runs([run.experiment_id], f"tags.mlflow.parentRunId = '{run.run_id}'")
    return sorted(found, key=lambda one: one.info.start_time)


def interrupt_at(step: int, metrics: Path, error: int) -> threading.Thread:
    """Sends a signal to this process once the program has measured `step`."""

    def watch() -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            lines = metrics.read_text(encoding="utf-8").splitlines() if metrics.is_file() else []
            if len(lines) >= step:
                os.kill(os.getpid(), error)
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_interrupted_run_leaves_a_checkpoint_and_goes_on_without_a_doubled_step(run, make_spec, capfd):
    spec = make_spec(max_steps=200, checkpoint_every_n_steps=1000, eval_every_n_steps=50)
    spec = spec.model_copy(update={"model_dir": spec.run_dir / "out" / "model"})
    watcher = interrupt_at(20, spec.metrics_file, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        training.train(run, spec, "pretrain")
    watcher.join()
    (first,) = children(run)
    stopped = step_of(newest_checkpoint(spec.checkpoints))
    assert 17 <= stopped < 200
    # As after a kill: rows that the next program will measure again, and half of one.
    with spec.metrics_file.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": stopped + 1, "train/loss": 99.0}) + '\n{"step": ')

    result = training.train(run, spec, "pretrain")
    (second,) = children(run)
    assert second.info.run_id == first.info.run_id, "it goes on in the MLflow run that it began in"
    assert (first.info.status, second.info.status) == ("KILLED", "FINISHED")
    assert result["mlflow_run_id"] == second.info.run_id
    losses = history(run, second.info.run_id, "train/loss")
    assert Counter(step for step, _ in losses) == Counter(range(1, 201))
    assert max(value for _, value in losses) < 50
    assert [step for step, _ in history(run, second.info.run_id, "val/loss")] == list(range(50, 201, 50))
    written = json.loads(spec.result_file.read_text(encoding="utf-8"))
    assert result == written | {"mlflow_run_id": second.info.run_id}
    assert sorted(path.name for path in (spec.run_dir / "out" / "logs").iterdir()) == [
        "execution.json", "metrics.jsonl", "result.json", "spec.json",
    ]  # fmt: skip
    assert second.data.params["max_steps"] == "200"
    assert tracking.client(run.home).list_artifacts(second.info.run_id, "figures")[0].path == "figures/loss.png"


def test_several_processes_end_with_the_task(run, make_spec):
    import psutil

    spec = make_spec(max_steps=2000, checkpoint_every_n_steps=2000, num_processes=2)
    spec = spec.model_copy(update={"model_dir": spec.run_dir / "out" / "model"})
    watcher = interrupt_at(5, spec.metrics_file, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        training.train(run, spec, "pretrain")
    watcher.join()
    assert step_of(newest_checkpoint(spec.checkpoints)) >= 5
    commands = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if str(spec.run_dir / "spec.json") in command]
    assert [child.info.status for child in children(run)] == ["KILLED"]


def test_bad_input_of_the_program_is_bad_input_of_the_task(run, make_spec, tmp_path):
    spec = make_spec().model_copy(update={"data": tmp_path})
    with pytest.raises(InputError, match=r"train\.npy: no such file"):
        training.train(run, spec, "pretrain")
    assert [child.info.status for child in children(run)] == ["FAILED"]


def test_program_that_dies_is_reported_with_what_it_printed(tmp_path, home):
    import sys

    silent = forwarding.Forwarder(home, "none", tmp_path)
    program = "import sys; print('the last words', file=sys.stderr); sys.exit(1)"
    with pytest.raises(TrainingError, match=r"(?s)exit code 1; run again to go on.*the last words"):
        training._follow([sys.executable, "-c", program], silent)
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(TrainingError, match="lack of memory: lower global_batch_size"):
        training._follow([sys.executable, "-c", program], silent)


def test_program_stops_when_the_process_that_started_it_is_gone(make_spec):
    """The number of a process that is not its parent stands for one that was killed."""
    import subprocess
    import sys

    spec = make_spec(max_steps=5000, checkpoint_every_n_steps=5000)
    spec.run_dir.mkdir()
    (spec.run_dir / "spec.json").write_text(spec.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "lmforge.training", str(spec.run_dir / "spec.json")],
        env=os.environ | {training.PARENT: "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 143, done.stderr
    assert not spec.result_file.exists()


def test_threads_are_those_that_this_process_may_use():
    assert training.num_threads() == len(os.sched_getaffinity(0))


def test_loss_that_is_not_finite_fails_the_task_and_nothing_is_registered(run, make_spec, training_data, tmp_path):
    config = build_config("bert", "nano", special_ids(training_data / "tokenizer"), max_positions=64, dropout=0.0)
    model = classifier(["games", "net", "text"], config=config)
    model.classifier.weight.data.fill_(float("nan"))
    model.save_pretrained(tmp_path / "start")
    spec = make_spec("diverged", objective="sequence_classification", start=tmp_path / "start")
    spec = spec.model_copy(update={"tokenizer": training_data / "tokenizer"})
    with pytest.raises(TrainingError, match=r"train/loss is nan at step 1; .* the batch is of the rows \d+, \d+"):
        training.train(run, spec, "finetune")
    assert [child.info.status for child in children(run)] == ["FAILED"]
    assert not tracking.client(run.home).search_registered_models()
    assert not spec.model_dir.exists()
