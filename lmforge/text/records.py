"""The records that pass between the text stages, and the writers of their shards and of the quarantine file.

The same rows give the same bytes: row groups and shards are cut by counts of rows and characters only, and nothing
of the time or place of writing is stored.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lmforge.text.tables import open_table, shard_paths
from lmforge.wording import shown

_QUARANTINE = "quarantine.jsonl"

# One shard is the unit that a worker takes, so a corpus of millions still has enough of them.
_MAX_SHARD_ROWS = 50_000
# A row group is what stays in memory while writing.
_MAX_GROUP_ROWS = 5_000
_MAX_GROUP_CHARS = 1 << 23
_MAX_EXCERPT_CHARS = 200


class Record(NamedTuple):
    """A document as it was read; `line` counts from 1 (rows of tables, elements of JSON arrays); `id` may be None.

    repaired: code of what reading had to mend, empty for nothing. license, language, origin: where the record knows
    better than its source. unused: names of its columns that nothing reads. more: values of `Columns.more`, as read.
    """

    text: str
    source: str
    line: int
    id: str | None = None
    label: str | None = None
    group: str | None = None
    repaired: str = ""
    license: str | None = None
    language: str | None = None
    origin: str | None = None
    unused: tuple[str, ...] = ()
    more: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """The given id, else file and position."""
        return self.id if self.id is not None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that no later stage sees: why, where it stood, and a hash and excerpt to recognise it by.

    offset: bytes from the start of the (uncompressed) file, None where the format has no lines.
    """

    reason: str
    source: str
    line: int
    sha256: str
    excerpt: str
    detail: str = ""
    offset: int | None = None

    @classmethod
    def of(
        cls,
        reason: str,
        source: str,
        line: int,
        content: str | bytes,
        *,
        detail: str = "",
        offset: int | None = None,
        excerpt: bool = True,
    ) -> Self:
        """Hash and excerpt `content`, the raw bytes or the text that was refused; a secret is hashed only."""
        raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        shortened = _excerpt(raw) if excerpt else ""
        return cls(reason, source, line, hashlib.sha256(raw).hexdigest(), shortened, detail, offset)


# As `dataclasses.asdict`, which copies every value, would list them; sorted, as the file has them.
_FIELDS = sorted(field.name for field in fields(Rejected))


class ShardWriter:
    """Context manager that appends rows to `part-00000.parquet`, `part-00001.parquet`, ... in a directory.

    Holds at most one row group in memory and at most 50,000 rows a file. Leaves one empty shard when no row came, so
    that a reader always finds the columns.
    """

    def __init__(self, directory: Path, schema: pa.Schema) -> None:
        self._directory = directory
        self._schema = schema
        self._rows: list[Mapping[str, Any]] = []
        self._num_chars = 0
        self._num_shards = 0
        self._shard_rows = 0
        self._writer: pq.ParquetWriter | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; its keys are the columns of the schema."""
        self._rows.append(row)
        self._num_chars += len(row["text"])
        full = self._shard_rows + len(self._rows) >= _MAX_SHARD_ROWS
        if full or len(self._rows) >= _MAX_GROUP_ROWS or self._num_chars >= _MAX_GROUP_CHARS:
            self._flush()
        if full:
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error the directory is thrown away; what is buffered must not look like a result.
        if kind is None and (self._rows or self._num_shards == 0):
            self._flush()
        self._close()

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = open_table(self._directory / f"part-{self._num_shards:05d}.parquet", self._schema)
            self._num_shards += 1
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._shard_rows += len(self._rows)
        self._rows, self._num_chars = [], 0

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._shard_rows = None, 0


class QuarantineWriter:
    """Context manager that appends rejected records to `quarantine.jsonl` and counts them by reason.

    A line holds a hash and at most 200 escaped characters of the record, never a whole document.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._file = (directory / _QUARANTINE).open("w", encoding="utf-8", newline="\n")
        self._counter: Counter[str] = Counter()

    def write(self, rejected: Rejected) -> None:
        """Append one rejected record."""
        self._counter[rejected.reason] += 1
        self._file.write(json.dumps({name: getattr(rejected, name) for name in _FIELDS}) + "\n")

    def append(self, directory: Path) -> None:
        """Take over the quarantine that another writer left in `directory`."""
        with (directory / _QUARANTINE).open(encoding="utf-8") as lines:
            for line in lines:
                self._counter[json.loads(line)["reason"]] += 1
                self._file.write(line)

    @property
    def num_written(self) -> int:
        """Number of records so far."""
        return self._counter.total()

    @property
    def reasons(self) -> dict[str, int]:
        """Number of records by reason code, in the order of the codes."""
        return dict(sorted(self._counter.items()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def scan(directory: Path) -> pl.LazyFrame:
    """All shards of a directory as one lazy frame, in source order.

    Raises IntegrityError where there is none.
    """
    return pl.scan_parquet(shard_paths(directory))


def excerpt_of(text: str) -> str:
    """At most 200 escaped characters of a text, to recognise it by."""
    return _excerpt(text.encode("utf-8", "surrogatepass"))


def _excerpt(raw: bytes) -> str:
    # Four bytes a character at most, so this prefix holds enough of them.
    text = raw[: 4 * _MAX_EXCERPT_CHARS].decode("utf-8", "backslashreplace")[:_MAX_EXCERPT_CHARS]
    return shown(text, _MAX_EXCERPT_CHARS)[:_MAX_EXCERPT_CHARS]
