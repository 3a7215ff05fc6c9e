"""Rows of Parquet and Arrow files, in batches that are small in bytes; numbers, dates and the like become text.

A text that is no UTF-8 is Rejected by its row; a file that is damaged, or whose columns cannot be read as text, raises
InputError. Arrow files carry no checksums: damage inside their texts cannot be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lmforge.errors import InputError
from lmforge.sources.fields import Columns, check_header
from lmforge.sources.rows import Row
from lmforge.sources.unused import unused_columns
from lmforge.text.records import Rejected
from lmforge.wording import shown

# Small, because pages of a few long texts and many references to them grow when they are read.
_BATCH_ROWS = 256
# A batch of large documents is cut so far that it stays below this, if the file's own sizes are true.
_BATCH_BYTES = 1 << 24
_MAX_COLUMNS = 10_000
# As for compressed files: more than real text ever reaches.
_MAX_EXPANSION = 200
_FREE_BYTES = 1 << 20
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
# MemoryError: a damaged length asks for more than there is.
_DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, IndexError, MemoryError)


def parquet_rows(path: Path, columns: Columns, source: str, max_bytes: int) -> Iterator[Row | Rejected]:
    """The wanted fields of each row, page checksums verified; rows count from 1.

    Reason codes: invalid_utf8, document_too_long. Raises InputError for damage, more than 10,000 columns, a column that
    is missing or holds no single values, and a file that expands like a bomb.
    """
    with (
        _opened("Parquet", path, source) as file,
        pq.ParquetFile(file, page_checksum_verification=True, buffer_size=1 << 16) as table,
    ):
        columns = columns.among(table.schema_arrow.names)
        _check_columns(table.schema_arrow, columns, source)
        num_bytes = _check_expansion(table.metadata, path.stat().st_size, source)
        batch_rows = max(1, min(_BATCH_ROWS, _BATCH_BYTES * table.metadata.num_rows // num_bytes))
        batches = table.iter_batches(batch_size=batch_rows, columns=columns.wanted, use_threads=False)
        unused = unused_columns(table.schema_arrow.names, columns.wanted)
        yield from _rows(batches, columns, unused, source, max_bytes)


def arrow_rows(path: Path, columns: Columns, source: str, max_bytes: int) -> Iterator[Row | Rejected]:
    """As `parquet_rows`, for the file and the stream form of Arrow; one of its batches is in memory."""
    options = pa.ipc.IpcReadOptions(use_threads=False)
    with _opened("Arrow", path, source) as file:
        is_file = file.read(6) == b"ARROW1"
        if not is_file:
            _check_end(file, source)
        file.seek(0)
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(file, options=options) as reader:
            columns = columns.among(reader.schema.names)
            _check_columns(reader.schema, columns, source)
            batches = map(reader.get_batch, range(reader.num_record_batches)) if is_file else iter(reader)
            unused = unused_columns(reader.schema.names, columns.wanted)
            yield from _rows(_cut(batches, columns), columns, unused, source, max_bytes)


def _rows(
    batches: Iterator[pa.RecordBatch], columns: Columns, unused: tuple[str, ...], source: str, max_bytes: int
) -> Iterator[Row | Rejected]:
    line = 0
    others = [name for name in columns.wanted if name != columns.text]
    for batch in batches:
        values = [_plain(batch.column(name), name, source).to_pylist() for name in others]
        for content, *rest in zip(_contents(batch.column(columns.text)), *values, strict=True):
            line += 1
            row = _decoded(line, content, dict(zip(others, rest, strict=True)), columns.text, source, max_bytes)
            yield row._replace(unused=unused) if unused and isinstance(row, Row) else row


def _cut(batches: Iterator[pa.RecordBatch], columns: Columns) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        wanted = batch.select(columns.wanted)
        # Offsets of a damaged file may point anywhere; what lies behind them is read only after this.
        _unchecked_text(wanted, columns.text).validate(full=True)
        for start in range(0, wanted.num_rows, _BATCH_ROWS):
            yield wanted.slice(start, _BATCH_ROWS)


def _unchecked_text(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    """The batch with its text as bytes, so that invalid UTF-8 is left to the rows."""
    column = batch.column(name)
    return batch.set_column(batch.schema.get_field_index(name), name, _as_bytes(column))


def _as_bytes(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, _as_bytes(column.dictionary), safe=False)
    wide = {pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
    return column.view(wide.get(column.type, pa.binary()))


def _contents(column: pa.Array) -> Iterator[bytes | None]:
    """The texts as bytes; those of a dictionary are made once, however often they are referred to."""
    column = _as_bytes(column)
    if not pa.types.is_dictionary(column.type):
        yield from column.to_pylist()
        return
    known = column.dictionary.to_pylist()
    yield from (None if index is None else known[index] for index in column.indices.to_pylist())


def _decoded(
    line: int, content: bytes | None, fields: dict[str, Any], name: str, source: str, max_bytes: int
) -> Row | Rejected:
    if content is not None and len(content) > max_bytes:
        return Rejected.of("document_too_long", source, line, content, detail="set `max_line_bytes` higher")
    try:
        text = None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected.of("invalid_utf8", source, line, content or b"", detail=str(error))
    return Row(line, None, content or b"", {name: text, **fields})


def _plain(column: pa.Array, name: str, source: str) -> pa.Array:
    """Ids, labels and groups as values that are text or numbers."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode(), name, source)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column
    try:
        return pc.cast(column, pa.large_string())
    except pa.ArrowNotImplementedError as error:
        raise InputError(f"{shown(source)}: {_not_a_value(name, kind)}") from error


def _check_columns(schema: pa.Schema, columns: Columns, source: str) -> None:
    if len(schema) > _MAX_COLUMNS:
        raise InputError(
            f"{shown(source)}: has {len(schema):,} columns, more than {_MAX_COLUMNS:,}; write only those that are read"
        )
    check_header(schema.names, columns.wanted, source)
    kind = schema.field(columns.text).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise InputError(
            f"{shown(source)}: field {shown(columns.text)!r} holds {shown(str(kind))}, not strings; write it as strings"
        )
    for name in columns.wanted:
        kind = schema.field(name).type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise InputError(f"{shown(source)}: {_not_a_value(name, kind)}")


def _not_a_value(name: str, kind: pa.DataType) -> str:
    return f"field {shown(name)!r} holds {shown(str(kind))}, not single values; write it as strings or numbers"


def _check_expansion(metadata: pq.FileMetaData, num_packed: int, source: str) -> int:
    """Bytes of all columns before compression; InputError where that says the file is a bomb."""
    # By row group: to ask a damaged file about its columns can end the process.
    unpacked = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    if unpacked > _MAX_EXPANSION * num_packed + _FREE_BYTES:
        raise InputError(
            f"{shown(source)}: expands more than {_MAX_EXPANSION} times, like a decompression bomb; "
            "write it again if you trust it"
        )
    return max(int(unpacked), 1)


def _check_end(file: pa.NativeFile, source: str) -> None:
    # The format lets a stream just stop, but then nobody could tell a file that was cut between two batches.
    file.seek(max(0, file.size() - len(_END_OF_STREAM)))
    if file.read() != _END_OF_STREAM:
        raise InputError(f"{shown(source)}: the Arrow stream ends without its end mark; write or copy it again")


@contextmanager
def _opened(kind: str, path: Path, source: str) -> Iterator[pa.NativeFile]:
    """The file, with damage that is found meanwhile as InputError."""
    try:
        # Not a Python file: threads of pyarrow that still hold one when the program ends would abort it.
        with pa.OSFile(str(path)) as file:
            yield file
    except _DAMAGE as error:
        # An error number comes from the disk, not from what is in the file.
        if isinstance(error, InputError) or getattr(error, "errno", None) is not None:
            raise
        raise InputError(
            f"{shown(source)}: damaged {kind} file ({shown(str(error))}); write or copy it again"
        ) from error
