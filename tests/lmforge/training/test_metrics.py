"""The metrics file keeps every row once, also when its writer was killed."""

from __future__ import annotations

import pytest

from lmforge.errors import IntegrityError
from lmforge.training.metrics import append_metrics, check_seal, drop_after, read_metrics, seal


def test_rows_come_back_in_order(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(path) == []
    rows = [{"step": step, "train/loss": 1 / (step + 1)} for step in range(5)]
    for row in rows:
        append_metrics(path, row)
    assert read_metrics(path) == rows


def test_half_written_line_does_not_count(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, {"step": 1, "a": 1.5})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 2, "a"')
    assert read_metrics(path) == [{"step": 1, "a": 1.5}]
    drop_after(path, 9)
    assert path.read_text(encoding="utf-8") == '{"step": 1, "a": 1.5}\n'


def test_later_steps_are_dropped_and_an_unchanged_file_is_not_touched(tmp_path):
    path = tmp_path / "metrics.jsonl"
    drop_after(path, 3)
    assert not path.exists()
    for step in (1, 2, 3):
        append_metrics(path, {"step": step, "x": 0.1})
    before = path.stat().st_ino
    drop_after(path, 3)
    assert path.stat().st_ino == before
    drop_after(path, 2)
    assert [row["step"] for row in read_metrics(path)] == [1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.jsonl"]


@pytest.mark.parametrize("line", ["{", "[]", "1", '{"a": 1}', '{"step": "x"}', "\x00"])
def test_damaged_row_is_named_when_read_and_dropped_when_a_run_goes_on(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 1}}\n{line}\n{{"step": 2}}\n')
    with pytest.raises(IntegrityError, match=r"metrics\.jsonl:2: damaged"):
        read_metrics(path)
    drop_after(path, 2)
    assert [row["step"] for row in read_metrics(path)] == [1, 2]


def test_seal_knows_the_rows_that_a_checkpoint_has_behind_it(tmp_path):
    path = tmp_path / "metrics.jsonl"
    check_seal(path, seal(path))
    append_metrics(path, {"step": 1, "x": 0.5})
    sealed = seal(path)
    append_metrics(path, {"step": 2, "x": 0.25})
    check_seal(path, sealed)
    path.write_text('{"step": 1, "x": 0.6}\n')
    with pytest.raises(IntegrityError, match="not the rows that were there when the checkpoint was written"):
        check_seal(path, sealed)
    path.unlink()
    with pytest.raises(IntegrityError, match=str(path)):
        check_seal(path, sealed)
