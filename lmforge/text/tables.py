"""The columns of the Parquet files that the text stages write, and how such files are written and read.

Pages carry checksums; `read_rows` verifies them, the lazy `records.scan` does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lmforge.errors import IntegrityError

RAW_SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string()), ("source", pa.string()), ("line", pa.int64())])
CLEAN_SCHEMA = pa.schema(
    [
        *RAW_SCHEMA,
        ("language", pa.string()),
        ("num_chars", pa.int32()),
        ("num_words", pa.int32()),
        ("repaired", pa.bool_()),
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


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file with page checksums verified, one row group in memory.

    Raises IntegrityError naming the file where it is damaged.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as table:
            for batch in table.iter_batches(batch_size=5_000):
                yield from batch.to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise IntegrityError(
            f"{path} is damaged: {error}; remove its directory and run again to make it anew"
        ) from error
