"""Streams a file of documents as records, whatever its format; broken records come out as Rejected, in their place.

Plain text holds one document a line unless told otherwise, as the `text` loader of `datasets` reads it: a book with
wrapped lines becomes many short documents. A file that is broken as a whole raises InputError, possibly after some
records; what was written by then must not be published.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from lmforge.errors import InputError
from lmforge.sources.decoding import Decoder, NulBytes
from lmforge.sources.fields import Columns, missing_fields
from lmforge.sources.json_rows import json_rows
from lmforge.sources.lines import read_lines, read_whole
from lmforge.sources.opening import Opened, open_files
from lmforge.sources.rows import Documents, Row, csv_rows, paragraph_rows, text_rows, whole_row
from lmforge.sources.tables import arrow_rows, parquet_rows
from lmforge.sources.unused import unused_columns
from lmforge.text.markup import page_text
from lmforge.text.records import Record, Rejected
from lmforge.wording import shown

# A field that the first thousand objects lack is taken for a wrong name, not for a rare field.
_NUM_ROWS_WITHOUT_FIELD = 1_000
_HALF = "half of a UTF-16 pair, which no encoding can store"
_BOM = b"\xef\xbb\xbf"
# Their documents have no fields, so a recipe may mix them with formats whose field is named otherwise.
_WITHOUT_FIELDS = {"text", "markdown", "html"}


def read_records(
    path: Path,
    columns: Columns,
    *,
    source: str,
    declared: str = "auto",
    documents: Documents = "line",
    encoding: str = "utf-8",
    nul_bytes: NulBytes = "quarantine",
    members: str = "*",
    max_line_bytes: int = 1 << 24,
    max_unpacked_bytes: int = 1 << 36,
) -> Iterator[Record | Rejected]:
    """Read a file, or each file in an archive, as records that carry `source` as their file name, in constant memory.

    A record of an archive's member has the source `source!member`. documents: what is one document in plain text.
    `max_line_bytes` bounds a line, and a document of several lines. `repaired` of a record: bom, nul_byte or both.
    Reason codes: invalid_utf8, invalid_encoding, nul_byte, line_too_long, document_too_long, invalid_json,
    not_an_object, nested_too_deeply, truncated, invalid_csv, ragged_row, missing_text, not_a_string, lone_surrogate.
    Raises InputError for an unknown encoding, a file that is no such container, is damaged or lacks a column, and a
    member without a record.
    """
    with open_files(path, declared, max_unpacked_bytes, members) as opened:
        for file in opened:
            name = f"{source}!{file.member}" if file.member else source
            decoder = Decoder(name, encoding, nul_bytes)
            wanted = Columns() if file.file_format in _WITHOUT_FIELDS else columns
            records = _records(file, wanted, decoder, documents, max_line_bytes)
            yield from _not_empty(records, name) if file.member else records


def to_record(row: Row, columns: Columns, source: str, decoder: Decoder | None = None) -> Record | Rejected:
    """The record in the named fields of a row, or why there is none. `decoder` says what to do with NUL characters."""
    fields = row.fields
    text = fields.get(columns.text)
    if not isinstance(text, str):
        if text is None:
            return row.rejected("missing_text", source, f"no value in field {shown(columns.text)!r}")
        return row.rejected("not_a_string", source, f"field {shown(columns.text)!r} holds {type(text).__name__}")
    repaired = row.repaired
    if "\0" in text:
        stripped = decoder.stripped(text) if decoder else None
        if stripped is None:
            return row.rejected("nul_byte", source, "set `nul_bytes: strip` to remove them")
        text, repaired = stripped
    names = (columns.id, columns.label, columns.group)
    values = [None if name is None else fields.get(name) for name in names]
    for index, value in enumerate(values):
        if value is None:
            continue
        if not isinstance(value, str | int | float):
            return row.rejected(
                "not_a_string", source, f"field {shown(str(names[index]))!r} holds {type(value).__name__}"
            )
        values[index] = value = _as_text(value)
        if value is not None and not _is_encodable(value):
            return row.rejected("lone_surrogate", source, _HALF)
    if not _is_encodable(text):
        return row.rejected("lone_surrogate", source, _HALF)
    identity, label, group = values
    more = tuple(fields.get(name) for name in columns.more)
    return Record(text, source, row.line, identity, label, group, repaired, more=more)


def _records(
    file: Opened, columns: Columns, decoder: Decoder, documents: Documents, max_bytes: int
) -> Iterator[Record | Rejected]:
    source = decoder.source
    missing = set(columns.wanted)
    found: dict[str, None] = {}
    num_rows = 0
    shape: AbstractSet[str] = set(columns.wanted)
    unused: tuple[str, ...] = ()
    has_bom = file.stream.peek(len(_BOM)) == _BOM
    for row in _rows(file, columns, decoder, documents, max_bytes):
        if isinstance(row, Rejected):
            yield row
            continue
        num_rows += 1
        if missing:
            found.update(dict.fromkeys(row.fields))
            missing -= row.fields.keys()
            if num_rows == _NUM_ROWS_WITHOUT_FIELD:
                _check_found(missing, list(found), source)
        if row.fields.keys() != shape:
            # Most rows have the columns of the row before them.
            shape, unused = row.fields.keys(), unused_columns(row.fields, columns.wanted)
        record = to_record(row, columns, source, decoder)
        if isinstance(record, Record) and (row.unused or unused):
            record = record._replace(unused=row.unused or unused)
        if file.file_format == "html" and isinstance(record, Record):
            record = record._replace(text=page_text(record.text))
        if has_bom and isinstance(record, Record):
            # Of the file, and so counted once, with its first record.
            has_bom = False
            record = record._replace(repaired=f"bom+{record.repaired}".rstrip("+"))
        yield record
    if num_rows:
        _check_found(missing, list(found), source)


def _rows(
    file: Opened, columns: Columns, decoder: Decoder, documents: Documents, max_bytes: int
) -> Iterator[Row | Rejected]:
    stream, file_format = file.stream, file.file_format
    if file_format in ("parquet", "arrow"):
        rows = parquet_rows if file_format == "parquet" else arrow_rows
        with stream.random_access() as table:
            yield from rows(Path(table.name), columns, decoder.source, max_bytes)
        return
    start = len(stream.read(len(_BOM))) if stream.peek(len(_BOM)) == _BOM else 0
    if file_format in ("json", "jsonl"):
        yield from json_rows(stream, decoder, max_bytes, start)
    elif file_format in ("csv", "tsv"):
        yield from csv_rows(
            read_lines(stream, max_bytes, start),
            decoder,
            delimiter="\t" if file_format == "tsv" else ",",
            wanted=columns.wanted,
            max_field_bytes=max_bytes,
        )
    elif documents == "file" or file_format in ("markdown", "html"):
        yield from whole_row(read_whole(stream, max_bytes, start), decoder)
    elif documents == "paragraph":
        yield from paragraph_rows(read_lines(stream, max_bytes, start), decoder, max_bytes)
    else:
        yield from text_rows(read_lines(stream, max_bytes, start), decoder)


def _not_empty(items: Iterator[Record | Rejected], source: str) -> Iterator[Record | Rejected]:
    num_records = 0
    for item in items:
        num_records += isinstance(item, Record)
        yield item
    if num_records == 0:
        raise InputError(f"0 records in {shown(source)}; pack the archive again, or leave it out with `members`")


def _check_found(missing: set[str], found: list[str], source: str) -> None:
    if missing:
        raise InputError(missing_fields(sorted(missing), found, source))


def _as_text(value: str | int | float) -> str | None:
    """Ids and labels are often numbers: 3 and 3.0 become `3`, true `true`; an empty value and NaN are none."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    # NaN, unlike any other value not equal to itself, is how data frames write a missing one.
    return None if value != value else str(value)


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
