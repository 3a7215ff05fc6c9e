"""The whole grid of faults, for every objective."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(6 * 3600)]


def test_every_fault_at_every_point_of_every_objective(tmp_path):
    done = subprocess.run(
        [sys.executable, "benchmarks/fault_grid.py", "--json"],
        cwd=ROOT, env=os.environ | {"LMFORGE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["failed"] == 0
    assert all(row["passed"] == row["cases"] for row in report["rows"])
    assert len({row["objective"] for row in report["rows"]}) >= 9
