"""Parquet settings of the text stages: page checksums, stable columns, verified reading."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmforge.errors import IntegrityError
from lmforge.text.tables import CLEAN_SCHEMA, RAW_SCHEMA, open_table, read_frames, shard_paths

ROW = dict.fromkeys(RAW_SCHEMA.names) | {"id": "1", "text": "some text", "source": "a.txt", "line": 1}


def test_a_clean_row_extends_a_raw_row() -> None:
    assert CLEAN_SCHEMA.names[: len(RAW_SCHEMA)] == RAW_SCHEMA.names
    assert CLEAN_SCHEMA.names[len(RAW_SCHEMA) :] == ["num_chars", "num_words", "repaired", "tags", "split"]


def test_rows_come_back(tmp_path: Path) -> None:
    path = tmp_path / "part-00000.parquet"
    with open_table(path, RAW_SCHEMA) as table:
        table.write_table(pa.Table.from_pylist([ROW], schema=RAW_SCHEMA))
    assert [row for frame in read_frames(path) for row in frame.to_dicts()] == [ROW]
    assert pq.read_metadata(path).row_group(0).column(1).compression == "ZSTD"


@pytest.mark.parametrize("content", [b"", b"not parquet at all", b"PAR1PAR1"])
def test_what_is_no_parquet_is_an_integrity_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "part-00000.parquet").write_bytes(content)
    with pytest.raises(IntegrityError, match="damaged"):
        list(read_frames(tmp_path / "part-00000.parquet"))


def test_a_missing_file_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"train\.parquet"):
        list(read_frames(tmp_path / "train.parquet"))


def test_shards_are_sorted_and_other_files_left_out(tmp_path: Path) -> None:
    for name in ("part-00001.parquet", "part-00000.parquet", "quarantine.jsonl", "train.parquet"):
        (tmp_path / name).touch()
    assert [path.name for path in shard_paths(tmp_path)] == ["part-00000.parquet", "part-00001.parquet"]
