"""Streams a file of documents as records, whatever its format; broken records come out as Rejected, in their place.

Plain text holds one document a line, as the `text` loader of `datasets` reads it: blank lines are skipped and a book
with wrapped lines becomes many short documents. A file that is broken as a whole raises InputError, possibly after
some records; what was written by then must not be published.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from lmforge.errors import InputError
from lmforge.sources.fields import Columns, check_header, missing_fields
from lmforge.sources.opening import format_of, open_bytes, read_lines
from lmforge.sources.rows import Row, csv_rows, json_rows, text_rows
from lmforge.text.records import Record, Rejected
from lmforge.wording import shown

# A field that the first thousand objects lack is taken for a wrong name, not for a rare field.
_NUM_ROWS_WITHOUT_FIELD = 1_000
_PARQUET_BATCH_ROWS = 1_000
_DEFAULT_LINE_BYTES = 1 << 24


def read_records(
    path: Path,
    columns: Columns,
    *,
    source: str,
    declared: str = "auto",
    encoding: str = "utf-8",
    max_line_bytes: int = _DEFAULT_LINE_BYTES,
) -> Iterator[Record | Rejected]:
    """Read a file as records that carry `source` as their file name, in constant memory.

    Reason codes: invalid_utf8, invalid_encoding, nul_byte, line_too_long, invalid_json, not_an_object,
    nested_too_deeply, truncated, invalid_csv, ragged_row, missing_text, not_a_string, lone_surrogate.
    Raises InputError for an unknown encoding and for a file that is no such container, is damaged, or lacks a column.
    """
    file_format = format_of(path, declared)
    encoding = _check_encoding(encoding)
    # Plain text has no fields, so a recipe may mix it with formats whose field is named otherwise.
    if file_format == "text":
        columns = Columns()
    missing = set(columns.wanted)
    found: dict[str, None] = {}
    num_rows = 0
    with open_bytes(path, file_format) as file:
        for row in _rows(file, file_format, columns, source, encoding, max_line_bytes):
            if isinstance(row, Rejected):
                yield row
                continue
            num_rows += 1
            if missing:
                found.update(dict.fromkeys(row.fields))
                missing -= row.fields.keys()
                if num_rows == _NUM_ROWS_WITHOUT_FIELD:
                    _check_found(missing, list(found), source)
            yield to_record(row, columns, source)
    if num_rows:
        _check_found(missing, list(found), source)


def _rows(
    file: BinaryIO, file_format: str, columns: Columns, source: str, encoding: str, max_line_bytes: int
) -> Iterator[Row | Rejected]:
    if file_format == "parquet":
        return _parquet_rows(file, columns, source)
    lines = read_lines(file, max_line_bytes)
    if file_format == "jsonl":
        return json_rows(lines, source, encoding)
    if file_format == "text":
        return text_rows(lines, source, encoding)
    delimiter = "\t" if file_format == "tsv" else ","
    wanted = columns.wanted
    return csv_rows(lines, source, encoding, delimiter=delimiter, wanted=wanted, max_field_bytes=max_line_bytes)


def _parquet_rows(file: BinaryIO, columns: Columns, source: str) -> Iterator[Row | Rejected]:
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as table:
            check_header(table.schema_arrow.names, columns.wanted, source)
            _check_string(table.schema_arrow.field(columns.text), source)
            line = 0
            for batch in table.iter_batches(batch_size=_PARQUET_BATCH_ROWS, columns=columns.wanted):
                for fields in _with_binary(batch, columns.text).to_pylist():
                    line += 1
                    yield _decode_row(line, fields, columns.text, source)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{shown(source)}: damaged Parquet file ({shown(str(error))}); write or copy it again"
        ) from error


def _with_binary(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    # As strings, one invalid byte would fail the batch without saying in which row.
    index = batch.schema.get_field_index(name)
    column = batch.column(index)
    plain = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return batch.set_column(index, name, plain.cast(pa.large_binary()))


def _decode_row(line: int, fields: dict[str, Any], name: str, source: str) -> Row | Rejected:
    content: bytes | None = fields[name]
    try:
        text = None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected.of("invalid_utf8", source, line, content or b"", detail=str(error))
    return Row(line, None, content or b"", {**fields, name: text})


def _check_string(field: pa.Field, source: str) -> None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise InputError(
            f"{shown(source)}: field {shown(field.name)!r} holds {field.type}, not strings; write it as strings"
        )


def _check_found(missing: set[str], found: list[str], source: str) -> None:
    if missing:
        raise InputError(missing_fields(sorted(missing), found, source))


def to_record(row: Row, columns: Columns, source: str) -> Record | Rejected:
    """The record in the named fields of a row, or why there is none."""
    text = row.fields.get(columns.text)
    if text is None:
        return row.rejected("missing_text", source, f"no value in field {shown(columns.text)!r}")
    if not isinstance(text, str):
        return row.rejected("not_a_string", source, f"field {shown(columns.text)!r} holds {type(text).__name__}")
    others: list[str | None] = []
    for name in (columns.id, columns.label, columns.group):
        value = None if name is None else row.fields.get(name)
        if not isinstance(value, str | int | float | None):
            return row.rejected("not_a_string", source, f"field {shown(str(name))!r} holds {type(value).__name__}")
        others.append(_as_text(value))
    if any(value is not None and not _is_encodable(value) for value in (text, *others)):
        return row.rejected("lone_surrogate", source, "half of a UTF-16 pair, which no encoding can store")
    identity, label, group = others
    return Record(text, source, row.line, identity, label, group)


def _as_text(value: str | int | float | None) -> str | None:
    """Ids and labels are often numbers: 3 and 3.0 become `3`, true `true`; an empty value is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # NaN, unlike any other value not equal to itself, is how data frames write a missing one.
    return None if value is None or value == "" or value != value else str(value)


def _is_encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _check_encoding(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name.removesuffix("-sig")
        # Lines are split as bytes, so a line feed must be one byte of its own.
        by_lines = "{\n".encode(name) == b"{\n"
    except (LookupError, UnicodeError) as error:
        raise InputError(
            f"encoding: {shown(encoding)!r} is unknown; write for example utf-8, latin-1, cp1252"
        ) from error
    if not by_lines:
        raise InputError(
            f"encoding: {name} cannot be read by lines; convert with `iconv -f {name} -t UTF-8 FILE > NEW`"
        )
    return name
