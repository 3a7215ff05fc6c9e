"""Rows of text files: CSV, and documents that are lines, paragraphs or whole files; what is broken as Rejected.

Nothing here knows which fields are wanted, except that a CSV header must hold them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from lmforge.errors import InputError
from lmforge.sources.decoding import Decoder
from lmforge.sources.fields import check_header
from lmforge.sources.lines import Line, Piece
from lmforge.text.records import Rejected
from lmforge.wording import shown

Documents = Literal["line", "paragraph", "file"]


class Row(NamedTuple):
    """One parsed row: its fields, where it stood, its raw bytes and the code of what was mended in them.

    unused: columns that stand beside these fields and were not read, as `unused_columns` gives them.
    """

    line: int
    offset: int | None
    content: bytes
    fields: Mapping[str, Any]
    repaired: str = ""
    unused: tuple[str, ...] = ()

    def rejected(self, reason: str, source: str, detail: str = "") -> Rejected:
        """This row as refused."""
        return Rejected.of(reason, source, self.line, self.content, detail=detail, offset=self.offset)


def text_rows(lines: Iterator[Line], decoder: Decoder) -> Iterator[Row | Rejected]:
    """One document a line, as field `text`; blank lines are skipped."""
    for line in lines:
        decoded = decoder.line(line)
        if isinstance(decoded, Rejected):
            yield decoded
        elif decoded.text and not decoded.text.isspace():
            fields = {"text": decoded.text.removesuffix("\r")}
            yield Row(line.number, line.offset, line.content, fields, decoded.repaired)


def paragraph_rows(lines: Iterator[Line], decoder: Decoder, max_bytes: int) -> Iterator[Row | Rejected]:
    """One document a paragraph, which blank lines part; `line` is its first. A broken line refuses its paragraph.

    Reason codes beside those of `Decoder`: document_too_long.
    """
    first: Line | None = None
    piece, broken = Piece(max_bytes), None
    for line in lines:
        if line.content and not line.content.isspace():
            if first is None:
                first, piece, broken = line, Piece(max_bytes), None
            else:
                piece.add(b"\n")
            piece.add(line.content)
            broken = broken or (line if line.sha256 is not None else None)
        elif first is not None:
            yield _document(piece, first, broken, decoder)
            first = None
    if first is not None:
        yield _document(piece, first, broken, decoder)


def whole_row(line: Line, decoder: Decoder) -> Iterator[Row | Rejected]:
    """The whole file as one document; none where it is blank. Reason codes beside those of `Decoder`: as above."""
    if line.content and not line.content.isspace():
        yield _decoded_row(line, decoder)


def csv_rows(
    lines: Iterator[Line], decoder: Decoder, *, delimiter: str, wanted: list[str], max_field_bytes: int
) -> Iterator[Row | Rejected]:
    """Rows under a header, quoted as RFC 4180 says; `line` is where a row starts.

    Reason codes beside those of `Decoder`: invalid_csv, truncated, ragged_row. Raises InputError for a header with a
    repeated name or without a wanted one.
    """
    # A limit of the whole process, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), max_field_bytes))
    tape = _Tape(lines, decoder, max_field_bytes)
    # Strict, or a stray quote would silently swallow the rows up to the next one.
    reader = csv.reader(tape, delimiter=delimiter, strict=True)
    header = _header(reader, tape, decoder.source)
    if not header:
        return
    check_header(header, wanted, decoder.source, delimiter)
    while True:
        tape.start()
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = {"unexpected end of data": "truncated"}.get(str(error), "invalid_csv")
            yield tape.rejected("line_too_long" if "limit" in str(error) else reason, str(error))
            continue
        if tape.problem:
            yield tape.problem
        elif len(values) == len(header):
            fields = dict(zip(header, values, strict=True))
            yield Row(tape.line, tape.offset, tape.content, fields, tape.repaired)
        elif values:
            yield tape.rejected("ragged_row", f"{len(values)} fields under {len(header)} columns")


class _Tape:
    """Feeds decoded lines to the CSV parser and keeps the raw bytes of the row that it is reading."""

    def __init__(self, lines: Iterator[Line], decoder: Decoder, max_row_bytes: int) -> None:
        self._lines, self._decoder, self._max_row_bytes = lines, decoder, max_row_bytes
        self.start()

    def start(self) -> None:
        self._taken: list[Line] = []
        self._num_bytes = 0
        self.problem: Rejected | None = None
        self.repaired = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._taken.append(line)
        self._num_bytes += len(line.content)
        # The parser limits a field; a row of many quoted fields with line breaks has no limit of its own.
        if self._num_bytes > 2 * self._max_row_bytes:
            raise csv.Error(f"a row beyond the limit of {2 * self._max_row_bytes} bytes")
        decoded = self._decoder.line(line)
        if isinstance(decoded, Rejected):
            self.problem = self.problem or decoded
            # Its quotes still count, or the next rows would be read as one field.
            return "\n" if line.sha256 else line.content.decode(self._decoder.encoding, "replace") + "\n"
        self.repaired = self.repaired or decoded.repaired
        return decoded.text + "\n" if line.complete else decoded.text

    @property
    def line(self) -> int:
        return self._taken[0].number

    @property
    def offset(self) -> int:
        return self._taken[0].offset

    @property
    def content(self) -> bytes:
        return self._taken[0].content if len(self._taken) == 1 else b"\n".join(line.content for line in self._taken)

    def rejected(self, reason: str, detail: str) -> Rejected:
        if len(self._taken) > 1:
            detail += f"; it spans {len(self._taken):,} lines, so a quote is missing or one too many"
        source = self._decoder.source
        return Rejected.of(reason, source, self.line, self.content, detail=detail, offset=self.offset)


def _header(reader: Iterator[list[str]], tape: _Tape, source: str) -> list[str]:
    try:
        header = next((row for row in reader if row or tape.problem), [])
    except csv.Error as error:
        raise InputError(f"{shown(source)}: the header is not CSV ({error}); correct the first line") from error
    if tape.problem:
        raise InputError(f"{shown(source)}: the header is refused as {tape.problem.reason} {tape.problem.detail}")
    return header


def _document(piece: Piece, first: Line, broken: Line | None, decoder: Decoder) -> Row | Rejected:
    if broken is not None:
        return decoder.rejected("line_too_long", broken)
    return _decoded_row(piece.line(first.number, first.offset, True), decoder)


def _decoded_row(line: Line, decoder: Decoder) -> Row | Rejected:
    if line.sha256 is not None:
        return decoder.rejected("document_too_long", line, "set `max_line_bytes` higher, or read it by lines")
    decoded = decoder.line(line)
    if isinstance(decoded, Rejected):
        return decoded
    return Row(line.number, line.offset, line.content, {"text": decoded.text.replace("\r\n", "\n")}, decoded.repaired)
