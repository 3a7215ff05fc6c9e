"""A planted fault strikes at the visit that was asked for, and nowhere else."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pathlib import Path
from lmforge.faults import point
for number in range(4):
    print(number, flush=True)
    point("one", Path(sys.argv[1]))
    point("other")
"""
CONTENT = bytes(range(64))


def run(file, **environment):
    """How a process that passes two points four times ends, and what it printed before that."""
    file.write_bytes(CONTENT)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LMFORGE_FAULT")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file)],
        env=clean | environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done, done.stdout.split()


def test_without_the_variable_nothing_happens(tmp_path):
    done, visits = run(tmp_path / "file")
    assert (done.returncode, len(visits)) == (0, 4)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("kind", "code", "printed"),
    [
        ("kill9", -9, ""),
        ("sigterm", -15, ""),
        ("enospc", 1, os.strerror(errno.ENOSPC)),
        ("eio", 1, os.strerror(errno.EIO)),
        ("exception", 1, "RuntimeError: planted at one"),
    ],
)
@pytest.mark.parametrize("visit", [None, 3])
def test_each_kind_ends_the_process_at_its_visit(tmp_path, kind, code, printed, visit):
    done, visits = run(tmp_path / "file", LMFORGE_FAULT=f"one:{kind}" + (f":{visit}" if visit else ""))
    assert done.returncode == code
    assert printed in done.stderr
    assert len(visits) == (visit or 1)


def test_truncation_and_a_flipped_bit(tmp_path):
    run(tmp_path / "file", LMFORGE_FAULT="one:truncate")
    assert (tmp_path / "file").read_bytes() == CONTENT[:32]
    run(tmp_path / "file", LMFORGE_FAULT="one:bitflip")
    damaged = (tmp_path / "file").read_bytes()
    assert [number for number in range(64) if damaged[number] != CONTENT[number]] == [32]
    assert (damaged[32] ^ CONTENT[32]).bit_count() == 1


def test_several_faults_of_one_process(tmp_path):
    done, visits = run(tmp_path / "file", LMFORGE_FAULT="one:truncate:2,other:kill9:2")
    assert (done.returncode, len(visits)) == (-9, 2)
    assert len((tmp_path / "file").read_bytes()) == 32


def test_points_are_recorded_in_order(tmp_path):
    record = tmp_path / "points.txt"
    run(tmp_path / "file", LMFORGE_FAULT_RECORD=str(record))
    assert record.read_text().split() == ["one", "other"] * 4


@pytest.mark.parametrize("value", ["one", "one:melt", ":kill9", "one:kill9:x"])
def test_a_fault_that_does_not_exist_is_refused(tmp_path, value):
    done, visits = run(tmp_path / "file", LMFORGE_FAULT=value)
    assert (done.returncode, len(visits)) == (1, 1)
    assert f"LMFORGE_FAULT={value}: expected NAME:KIND[:N]" in done.stderr
