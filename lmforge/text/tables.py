"""The columns of the Parquet files that the text stages write, and how such files are written and read.

Pages carry checksums; `read_frames` verifies them, the lazy `records.scan` does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lmforge.errors import IntegrityError

RAW_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("line", pa.int64()),
        ("group", pa.string()),
        ("license", pa.string()),
        ("language", pa.string()),
        ("origin", pa.string()),
    ]
)
# `language` is what was recognised in the text, no longer what the source says.
CLEAN_SCHEMA = pa.schema(
    [
        *RAW_SCHEMA,
        ("num_chars", pa.int32()),
        ("num_words", pa.int32()),
        ("repaired", pa.bool_()),
        ("tags", pa.string()),
        ("split", pa.string()),
    ]
)


def open_table(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer (context manager) of one file: zstd, page checksums, the same bytes for the same rows."""
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def shard_paths(directory: Path) -> list[Path]:
    """The shards of a directory in source order; IntegrityError where there is none."""
    shards = sorted(directory.glob("part-*.parquet"))
    if not shards:
        raise IntegrityError(f"no shard part-*.parquet in {directory}; run the stage that writes it again")
    return shards


def read_frames(path: Path) -> Iterator[pl.DataFrame]:
    """The row groups of a file as frames, one in memory, with page checksums verified; an empty file is one frame.

    Raises IntegrityError naming the file where it is damaged.
    """
    with _reading(path) as table:
        groups = (table.read_row_group(number) for number in range(table.num_row_groups))
        for group in groups if table.num_row_groups else [table.schema_arrow.empty_table()]:
            frame = pl.from_arrow(group)
            assert isinstance(frame, pl.DataFrame)
            yield frame


@contextmanager
def _reading(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as table:
            yield table
    except (pa.ArrowInvalid, OSError) as error:
        raise IntegrityError(
            f"{path} is damaged: {error}; remove its directory and run again to make it anew"
        ) from error
