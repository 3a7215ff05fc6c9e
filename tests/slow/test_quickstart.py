"""What the quickstart claims, by running it: pre-training pays, and the whole chain makes a champion."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def run(home, *command):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT, env=os.environ | {"LMFORGE_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_pretraining_beats_the_same_network_from_scratch_on_validation_data(tmp_path):
    report = run(tmp_path, "benchmarks/bench_pretraining_gain.py", "--seeds", "0", "--json")
    (row,) = report["rows"]
    assert row["pretrained"]["macro_f1"] > row["scratch"]["macro_f1"] + 0.02
    assert row["pretrained"]["macro_f1"] > report["peers"]["tfidf_linear"]["macro_f1"] - 0.05


def test_quickstart_makes_a_champion_and_is_reused(tmp_path):
    first = run(tmp_path, "-m", "flows.cli", "run", "recipes/quickstart.yaml", "--json")
    assert first["tasks"][0]["aliases"] == ["challenger", "champion"]
    assert first["tasks"][0]["verdict"] == "first version"
    again = run(tmp_path, "-m", "flows.cli", "run", "recipes/quickstart.yaml", "--json")
    assert all(stage["cached"] for stage in again["stages"])
    assert [one["fingerprint"] for one in again["stages"]] == [one["fingerprint"] for one in first["stages"]]
