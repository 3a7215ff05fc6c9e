"""Two trainings are compared by their logs and their weights; what is no training has no drift."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from lmforge.release.drifting import drift_between


@pytest.fixture
def trained(tmp_path):
    def make(name, losses, last=0.0):
        place = tmp_path / name
        (place / "model").mkdir(parents=True)
        (place / "logs").mkdir()
        weights = {"a": np.ones((2, 2), np.float32), "b": np.array([1.0, 1.0 + last], np.float32)}
        save_file(weights, place / "model" / "model.safetensors")
        lines = [{"step": 5 * (i + 1), "train/loss": loss, "train/seconds": last} for i, loss in enumerate(losses)]
        (place / "logs" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return place

    return make


def test_first_step_and_weights_that_differ_are_named(trained):
    drift = drift_between(trained("one", [3.0, 2.0, 1.0]), trained("two", [3.0, 2.5, 1.0], last=0.5))
    assert (drift.first_step, drift.num_tensors, drift.num_differing, drift.largest) == (10, 2, 1, 0.5)
    assert drift.words == "1 of 2 tensors differ, by 5.0e-01 at most; from step 10 on"


def test_times_do_not_count_and_a_difference_after_the_last_log_is_said(trained):
    drift = drift_between(trained("one", [3.0]), trained("two", [3.0], last=0.25))
    assert (drift.first_step, drift.num_differing) == (None, 1)
    assert drift.words.endswith("all logged values equal")


def test_what_cannot_be_compared_has_no_drift(trained, tmp_path):
    one, other, broken = trained("one", [3.0]), trained("other", [3.0]), trained("broken", [3.0])
    save_file({"a": np.ones(3, np.float32)}, other / "model" / "model.safetensors")
    (broken / "model" / "model.safetensors").write_text("weights")
    assert [drift_between(one, place) for place in (other, broken, tmp_path / "none")] == [None] * 3
