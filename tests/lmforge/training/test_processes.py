"""Two real processes on one model: the loss curve of one, the same steps after a stop, one end for all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from lmforge.training.checkpoints import newest_checkpoint
from lmforge.training.metrics import read_metrics
from lmforge.training.processes import AgreedStop, Processes, joined
from lmforge.training.stopping import StopRequest

# Largest relative difference to one process that was measured: 2e-7 over 12 steps.
TOLERANCE = 1e-5


def assert_same_curve(ours, single):
    for row, wanted in zip(ours.rows(), single.rows(), strict=True):
        assert row == pytest.approx(wanted, rel=TOLERANCE)


@pytest.mark.parametrize(
    ("architecture", "objective", "changes"),
    [
        ("bert", "masked_lm", {"micro_batch_size": 2, "ema_decay": 0.5}),
        ("bert", "next_sentence", {}),
        ("gpt2", "causal_lm", {}),
        ("electra", "replaced_token_detection", {}),
        ("t5", "span_corruption", {}),
    ],
)
def test_two_processes_have_the_curve_of_one(make_spec, program, group, architecture, objective, changes):
    settings = {"architecture": architecture, "objective": objective, "max_steps": 8, "eval_every_n_steps": 4}
    one = program(make_spec("one", **settings))
    two = group(make_spec("two", **settings, **changes, num_processes=2))
    assert one.run() == 0
    assert two.run() == [0, 0], two.errors.read_text(encoding="utf-8")
    if not changes.get("ema_decay"):
        assert_same_curve(two, one)
    else:  # validation judges the average of the weights
        training = [[row["train/loss"] for row in rows if "train/loss" in row] for rows in (two.rows(), one.rows())]
        assert training[0] == pytest.approx(training[1], rel=TOLERANCE)
    assert newest_checkpoint(two.spec.checkpoints) is not None


def test_a_batch_with_fewer_rows_than_processes_and_labelled_texts(make_spec, program, group):
    """Fine-tuning batches end with a pool, so that one of them has a single row."""
    base = program(make_spec("base", max_steps=4))
    assert base.run() == 0
    changes = {"objective": "sequence_classification", "start": base.spec.model_dir, "max_steps": 30}
    one = program(make_spec("one", **changes))
    four = group(make_spec("four", **changes, num_processes=4))
    assert one.run() == 0
    assert four.run() == [0, 0, 0, 0], four.errors.read_text(encoding="utf-8")
    assert_same_curve(four, one)


def test_stopped_by_a_signal_to_one_and_resumed_exactly(make_spec, group):
    settings = {"max_steps": 30, "dropout": 0.1, "num_processes": 2}
    whole, parts = (group(make_spec(name, **settings)) for name in ("whole", "parts"))
    assert whole.run() == [0, 0]
    assert [parts.run(stop_at=4), parts.run(stop_at=15, rank=0), parts.run()] == [[143, 143], [143, 143], [0, 0]]
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()


def test_killed_process_ends_the_other_and_the_run_goes_on(make_spec, group):
    settings = {"max_steps": 30, "num_processes": 2}
    whole, parts = (group(make_spec(name, **settings)) for name in ("whole", "parts"))
    assert whole.run() == [0, 0]
    started = time.monotonic()
    assert parts.run(stop_at=8, number=signal.SIGKILL) == [1, -9]
    assert time.monotonic() - started < 60
    assert "process 0 of 2: another one ended or answers no more" in parts.errors.read_text(encoding="utf-8")
    assert parts.run() == [0, 0]
    assert parts.rows() == whole.rows()
    assert parts.weights() == whole.weights()


def test_another_number_of_processes_goes_on_with_a_run(make_spec, program, group):
    one = program(make_spec("one", max_steps=30))
    assert one.run() == 0
    parts = program(make_spec("parts", max_steps=30))
    assert parts.run(stop_at=8) == 143
    both = group(make_spec("parts", max_steps=30, num_processes=2))
    assert both.run() == [0, 0], both.errors.read_text(encoding="utf-8")
    assert_same_curve(both, one)


def test_programs_and_spec_must_agree_on_the_number(monkeypatch):
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "3")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"num_processes 2, but 3 started"), joined(2):
        pass


def test_one_process_asks_nobody():
    stop = AgreedStop(StopRequest(), Processes())
    stop.agree()
    assert stop.pending is None
    stop.own._keep(signal.SIGINT, None)
    assert stop.pending == signal.SIGINT  # at once, without an agreement
    alone = Processes()
    assert (alone.first, alone.highest(3), alone.summed({"a": 1.0}), alone.told("x")) == (True, 3, {"a": 1.0}, "x")
    assert [Processes(0, 2, 2).num_threads(total) for total in (1, 2, 5)] == [1, 1, 2]


@pytest.fixture
def launched(make_spec):
    """Start the program as a user does; the launcher starts the processes."""
    processes = []

    def launch(**changes):
        spec = make_spec(max_steps=2000, checkpoint_every_n_steps=1000, num_processes=2, **changes)
        spec.run_dir.mkdir()
        spec_file = spec.run_dir / "spec.json"
        spec_file.write_text(spec.model_dump_json(), encoding="utf-8")
        command = [sys.executable, "-m", "lmforge.training", str(spec_file)]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return spec, processes[-1]

    yield launch
    for process in processes:
        process.kill()


def wait_for(spec, step: int) -> None:
    deadline = time.monotonic() + 120
    while not any(row["step"] >= step for row in read_metrics(spec.metrics_file)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_sigterm_to_the_launcher_ends_all_with_a_checkpoint(launched):
    spec, launcher = launched()
    wait_for(spec, 3)
    started = time.monotonic()
    launcher.terminate()
    before = newest_checkpoint(spec.checkpoints)
    while newest_checkpoint(spec.checkpoints) == before:
        assert time.monotonic() - started < 10
    _, printed = launcher.communicate(timeout=60)
    assert launcher.returncode == 143, printed
    # Three interpreters that end take their time on a busy machine.
    assert time.monotonic() - started < 30
    assert "death signal" not in printed
    assert printed.count("start it again to go on") == printed.count("go on with: ") == 1


def test_killed_process_is_named_by_the_launcher(launched):
    import psutil

    spec, launcher = launched()
    wait_for(spec, 6)
    workers = psutil.Process(launcher.pid).children()
    everyone = [psutil.Process(launcher.pid), *workers]
    listening = [one.laddr.ip for each in everyone for one in each.net_connections() if one.status == "LISTEN"]
    assert set(listening) == {"127.0.0.1"}
    started = time.monotonic()
    workers[1].kill()
    _, printed = launcher.communicate(timeout=60)
    assert launcher.returncode == 1, printed
    assert time.monotonic() - started < 60
    assert "of 2 was ended by SIGKILL, and the others with it; start the run again" in printed
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)


def test_launcher_reports_bad_input_once(launched, make_spec):
    spec, launcher = launched()
    launcher.kill()  # its processes stop by themselves
    launcher.wait()
    broken = make_spec("broken", num_processes=2).model_copy(update={"data": spec.run_dir})
    broken.run_dir.mkdir()
    (broken.run_dir / "spec.json").write_text(broken.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-m", "lmforge.training", str(broken.run_dir / "spec.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("no such file") == 1
