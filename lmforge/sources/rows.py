"""Rows of text files: JSON Lines, CSV and plain lines as mappings of fields, and what is broken as Rejected.

Nothing here knows which fields are wanted, except that a CSV header must hold them.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from lmforge.errors import InputError
from lmforge.sources.fields import check_header
from lmforge.sources.opening import Line
from lmforge.text.records import Rejected
from lmforge.wording import shown

# Deeper than any data is; the parser of the standard library gives up at a depth that depends on its caller.
_MAX_DEPTH = 64
# What Parquet and data frames can hold; Python itself would take any number.
_INT64_DIGITS = 19
# Possessive, and with an optional end, so that no input makes it backtrack.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[{}\]]")


@dataclass(frozen=True, slots=True)
class Row:
    """One parsed row: its fields, where it stood and its raw bytes."""

    line: int
    offset: int | None
    content: bytes
    fields: Mapping[str, Any]

    def rejected(self, reason: str, source: str, detail: str = "") -> Rejected:
        return Rejected.of(reason, source, self.line, self.content, detail=detail, offset=self.offset)


def json_rows(lines: Iterator[Line], source: str, encoding: str) -> Iterator[Row | Rejected]:
    """One JSON object a line; blank lines are skipped.

    Rejects NaN, Infinity, floats out of range, integers beyond 64 bits and nesting beyond 64. Raises InputError for a
    JSON array or a pretty-printed document, which are not JSON Lines.
    """
    first = True
    for line in lines:
        if line.sha256 is None and not line.content.strip():
            continue
        if first:
            _check_shape(line, source)
            first = False
        text = _decoded(line, source, encoding)
        if isinstance(text, Rejected):
            yield text
            continue
        yield _parse_object(line, text, source)


def text_rows(lines: Iterator[Line], source: str, encoding: str) -> Iterator[Row | Rejected]:
    """One document a line, as field `text`; blank lines are skipped."""
    for line in lines:
        text = _decoded(line, source, encoding)
        if isinstance(text, Rejected):
            yield text
        elif text.strip():
            yield Row(line.number, line.offset, line.content, {"text": text.removesuffix("\r")})


def csv_rows(
    lines: Iterator[Line], source: str, encoding: str, *, delimiter: str, wanted: list[str], max_field_bytes: int
) -> Iterator[Row | Rejected]:
    """Rows under a header, quoted as RFC 4180 says; `line` is where a row starts.

    Raises InputError for a header with a repeated name or without a wanted one.
    """
    # A limit of the whole process, so it is only ever raised.
    csv.field_size_limit(max(csv.field_size_limit(), max_field_bytes))
    tape = _Tape(lines, source, encoding)
    # Strict, or a stray quote would silently swallow the rows up to the next one.
    reader = csv.reader(tape, delimiter=delimiter, strict=True)
    header = _header(reader, tape, source)
    if not header:
        return
    check_header(header, wanted, source, delimiter)
    while True:
        tape.start()
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = {"unexpected end of data": "truncated"}.get(str(error), "invalid_csv")
            yield tape.rejected("line_too_long" if "field limit" in str(error) else reason, str(error))
            continue
        if tape.problem:
            yield tape.problem
        elif len(values) == len(header):
            yield Row(tape.line, tape.offset, tape.content, dict(zip(header, values, strict=True)))
        elif values:
            yield tape.rejected("ragged_row", f"{len(values)} fields under {len(header)} columns")


class _Tape:
    """Feeds decoded lines to the CSV parser and keeps the raw bytes of the row that it is reading."""

    def __init__(self, lines: Iterator[Line], source: str, encoding: str) -> None:
        self._lines, self._source, self._encoding = lines, source, encoding
        self.start()

    def start(self) -> None:
        self._taken: list[Line] = []
        self.problem: Rejected | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._taken.append(line)
        text = _decoded(line, self._source, self._encoding)
        if isinstance(text, Rejected):
            self.problem = self.problem or text
            # Its quotes still count, or the next rows would be read as one field.
            return "\n" if line.sha256 else line.content.decode(self._encoding, "replace") + "\n"
        return text + "\n" if line.complete else text

    @property
    def line(self) -> int:
        return self._taken[0].number

    @property
    def offset(self) -> int:
        return self._taken[0].offset

    @property
    def content(self) -> bytes:
        return b"\n".join(line.content for line in self._taken)

    def rejected(self, reason: str, detail: str) -> Rejected:
        return Rejected.of(reason, self._source, self.line, self.content, detail=detail, offset=self.offset)


def _header(reader: Iterator[list[str]], tape: _Tape, source: str) -> list[str]:
    try:
        header = next((row for row in reader if row or tape.problem), [])
    except csv.Error as error:
        raise InputError(f"{shown(source)}: the header is not CSV ({error}); correct the first line") from error
    if tape.problem:
        raise InputError(f"{shown(source)}: the header is refused as {tape.problem.reason} {tape.problem.detail}")
    return header


def _decoded(line: Line, source: str, encoding: str) -> str | Rejected:
    if line.sha256 is not None:
        cut = Rejected.of("line_too_long", source, line.number, line.content, offset=line.offset)
        return Rejected("line_too_long", source, line.number, line.sha256, cut.excerpt, offset=line.offset)
    if b"\0" in line.content:
        return Rejected.of("nul_byte", source, line.number, line.content, offset=line.offset)
    try:
        return line.content.decode(encoding)
    except UnicodeDecodeError as error:
        reason = "invalid_utf8" if encoding == "utf-8" else "invalid_encoding"
        hint = (
            f"byte 0x{line.content[error.start]:02x}; if the file is not {encoding}, set `encoding`, for example cp1252"
        )
        return Rejected.of(reason, source, line.number, line.content, detail=hint, offset=line.offset + error.start)


def _check_shape(line: Line, source: str) -> None:
    start = line.content.strip()
    if start.startswith(b"["):
        raise InputError(
            f"{shown(source)}: is a JSON array, not JSON Lines; convert it with `jq -c '.[]' FILE > NEW.jsonl`"
        )
    if start == b"{":
        raise InputError(
            f"{shown(source)}: is pretty-printed JSON, not JSON Lines; convert it with `jq -c . FILE > NEW.jsonl`"
        )


def _parse_object(line: Line, text: str, source: str) -> Row | Rejected:
    def rejected(reason: str, detail: str = "") -> Rejected:
        return Rejected.of(reason, source, line.number, line.content, detail=detail, offset=line.offset)

    if _is_deep(line.content):
        return rejected("nested_too_deeply", f"more than {_MAX_DEPTH} levels")
    try:
        value = _DECODER.decode(text)
    except ValueError as error:
        return rejected("invalid_json" if line.complete else "truncated", str(error))
    if not isinstance(value, dict):
        return rejected("not_an_object", f"a JSON {type(value).__name__}")
    return Row(line.number, line.offset, line.content, value)


def _is_deep(content: bytes) -> bool:
    # Nearly every line ends here; the exact depth costs a pass over it.
    if content.count(b"[") + content.count(b"{") <= _MAX_DEPTH:
        return False
    depth = 0
    for match in _BRACKET.finditer(_STRING.sub(b"", content)):
        depth += 1 if match.group() in b"[{" else -1
        if depth > _MAX_DEPTH:
            return True
    return False


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _int64(digits: str) -> int:
    if len(digits.lstrip("-")) > _INT64_DIGITS or not -(1 << 63) <= int(digits) < 1 << 63:
        raise ValueError("an integer beyond 64 bits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number beyond the range of a float")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_int64, parse_float=_finite)
