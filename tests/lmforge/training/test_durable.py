"""A file is the old one or the new one, and a full disk is named with its numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lmforge.training.durable import PARTIAL, write_file

PROGRAM = """
import sys
from pathlib import Path
from lmforge.errors import TrainingError
from lmforge.training.durable import write_file
try:
    write_file(Path(sys.argv[1]), b"new content", "test")
except TrainingError as error:
    sys.exit(str(error))
"""


def write_with(fault, target):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(target)],
        env=os.environ | {"LMFORGE_FAULT": fault}, cwd=Path(__file__).parents[3], capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["opened", "half_written", "written", "fsynced", "renamed"])
@pytest.mark.parametrize("kind", ["kill9", "eio"])
def test_old_or_new_whatever_ends_the_process(tmp_path, name, kind):
    target = tmp_path / "file"
    write_file(target, b"old content", "test")
    assert write_with(f"test.{name}:{kind}", target).returncode != 0
    assert target.read_bytes() == (b"new content" if name == "renamed" else b"old content")
    if kind == "eio":
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_full_disk_is_named_with_bytes_needed_and_free(tmp_path):
    target = tmp_path / "file"
    done = write_with("test.half_written:enospc", target)
    assert done.returncode == 1
    assert f"{target}: the disk is full: 11 bytes needed, " in done.stderr
    assert "then start the same command again" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_other_errors_keep_their_path(tmp_path):
    with pytest.raises(OSError, match="nowhere") as caught:
        write_file(tmp_path / "nowhere" / "file", b"", "test")
    assert caught.value.filename.endswith(PARTIAL)
