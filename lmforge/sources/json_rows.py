"""Rows of JSON: one object a line, arrays of objects and pretty-printed objects, told apart by their beginning.

In arrays and pretty-printed files a row's `line` counts elements, broken ones included, and `offset` says where it
starts. What is broken comes out as Rejected and the elements after it are still read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import orjson

from lmforge.sources.decoding import Decoder
from lmforge.sources.lines import Line, Piece, read_lines
from lmforge.sources.rows import Row
from lmforge.sources.unpacking import Stream
from lmforge.text.records import Rejected

_CHUNK_BYTES = 1 << 18
_HEAD_BYTES = 4096
# Deeper than any data is; the parser of the standard library gives up at a depth that depends on its caller.
_MAX_DEPTH = 64
# Brackets beyond this depth are only counted; the element is refused for its depth anyway.
_MAX_OPEN = 1_000
# What Parquet and data frames can hold; Python itself would take any number.
_INT64_DIGITS = 19
_INT64_LIMIT = 1 << 63
# Possessive, and with an optional end, so that no input makes it backtrack.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[{}\]]")
# A string holds no line feed, so one without its closing quote ends with its line. Group 1 is that quote.
_BODY = re.compile(rb'(?:[^"\\\n]|\\[^\n])*+(")?')
_QUOTE, _COMMA, _LINE_FEED, _ARRAY, _END_OF_ARRAY = b'",\n[]'
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\[^\n])*+(")?|[\[\]{},\n]|[^\s"\[\]{},]+')


def json_rows(stream: Stream, decoder: Decoder, max_bytes: int, offset: int = 0) -> Iterator[Row | Rejected]:
    """The objects of a JSON file of whatever shape; blank lines are skipped.

    Reason codes beside those of `Decoder`: invalid_json, not_an_object, nested_too_deeply, truncated,
    document_too_long. Rejects NaN, Infinity, floats out of range, integers beyond 64 bits and nesting beyond 64.
    """
    head = stream.peek(_HEAD_BYTES).strip()
    first = head.split(b"\n", 1)[0].strip()
    if head.startswith(b"[") or first == b"{":
        for element in read_elements(stream, max_bytes, offset):
            yield _parsed(element, decoder, "document_too_long")
        return
    for line in read_lines(stream, max_bytes, offset):
        if line.content and not line.content.isspace():
            yield _parsed(line, decoder, "line_too_long")


def read_elements(stream: Stream, max_bytes: int, offset: int = 0) -> Iterator[Line]:
    """The elements of JSON arrays and the values between them, each as one piece, without parsing them.

    An empty place between two commas, or before a closing bracket, is an element of no bytes; so is the end of an array
    that is not closed. Memory is bounded by `max_bytes`, time is linear.
    """
    splitter = _Splitter(max_bytes, offset)
    held = b""
    while chunk := stream.read(_CHUNK_BYTES):
        chunk = held + chunk
        # A backslash belongs to the byte after it.
        num_slashes = len(chunk) - len(chunk.rstrip(b"\\"))
        held = b"\\" if num_slashes % 2 else b""
        yield from splitter.feed(chunk.removesuffix(held) if held else chunk)
    yield from splitter.feed(held)
    yield from splitter.end()


class _Splitter:
    """A scanner of brackets and strings that can stop after any chunk."""

    def __init__(self, max_bytes: int, offset: int) -> None:
        self._max_bytes, self._offset = max_bytes, offset
        self._number = 0
        self._in_array = self._in_string = False
        # Whether the place after a bracket or comma is still empty, and whether a comma made it.
        self._empty, self._after_comma = True, False
        self._piece: Piece | None = None
        self._start = 0
        self._open = bytearray()
        self._num_deeper = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The elements that end in this chunk."""
        position = 0
        # Where the part of the current element that is not kept yet begins.
        self._mark = 0
        if self._in_string and chunk:
            found = _BODY.match(chunk)
            assert found is not None
            position = found.end()
            self._in_string = not found.group(1) and position == len(chunk)
        for token in _TOKEN.finditer(chunk, position):
            mark = chunk[token.start()]
            if mark == _QUOTE:
                self._in_string = not token.group(1) and token.end() == len(chunk)
            if self._piece is None:
                yield from self._outside(mark, token.start(), token.end(), chunk)
            else:
                yield from self._inside(mark, token.start(), token.end(), chunk)
        if self._piece is not None:
            self._piece.add(chunk[self._mark :])
        self._offset += len(chunk)

    def end(self) -> Iterator[Line]:
        """What the end of the file cuts off."""
        if self._piece is not None:
            whole = not self._in_array and not self._open and not self._in_string
            yield self._piece.line(self._number, self._start, whole)
        elif self._in_array:
            self._number += 1
            yield Line(self._number, self._offset, b"", False)

    def _outside(self, mark: int, start: int, end: int, chunk: bytes) -> Iterator[Line]:
        if mark == _LINE_FEED:
            return
        if mark == _ARRAY and not self._in_array:
            self._in_array, self._empty, self._after_comma = True, True, False
        elif mark == _END_OF_ARRAY and self._in_array:
            if self._empty and self._after_comma:
                yield self._nothing(start)
            self._in_array = False
        elif mark == _COMMA:
            if self._empty:
                yield self._nothing(start)
            self._empty = self._after_comma = True
        else:
            self._number += 1
            self._piece, self._start, self._mark = Piece(self._max_bytes), self._offset + start, start
            self._empty = False
            yield from self._inside(mark, start, end, chunk)

    def _inside(self, mark: int, start: int, end: int, chunk: bytes) -> Iterator[Line]:
        if mark in b"[{":
            if len(self._open) < _MAX_OPEN:
                # In ASCII the closing bracket comes two places after the opening one.
                self._open.append(mark + 2)
            else:
                self._num_deeper += 1
        elif self._num_deeper and mark in b"]}":
            self._num_deeper -= 1
        elif mark in b"]}":
            opened = self._open.rfind(mark)
            if opened >= 0:
                del self._open[opened:]
                if not self._open:
                    yield self._finish(chunk, end)
            elif mark == _END_OF_ARRAY and self._in_array:
                # An element that was never closed ends with its array.
                yield self._finish(chunk, start)
                self._in_array = False
        elif not self._open and (mark == _COMMA or (mark == _LINE_FEED and not self._in_array)):
            yield self._finish(chunk, start)
            self._empty = self._after_comma = mark == _COMMA

    def _finish(self, chunk: bytes, end: int) -> Line:
        assert self._piece is not None
        self._piece.add(chunk[self._mark : end])
        line = self._piece.line(self._number, self._start, True)
        self._piece = None
        self._open.clear()
        return line

    def _nothing(self, start: int) -> Line:
        self._number += 1
        return Line(self._number, self._offset + start, b"", True)


def _parsed(line: Line, decoder: Decoder, too_long: str) -> Row | Rejected:
    if line.sha256 is not None:
        return decoder.rejected(too_long, line)
    if _is_deep(line.content):
        return decoder.rejected("nested_too_deeply", line, f"more than {_MAX_DEPTH} levels")
    if decoder.encoding == "utf-8":
        try:
            value = orjson.loads(line.content)
        except orjson.JSONDecodeError:
            return _judged(line, decoder)
        if type(value) is dict and _is_small(value):
            return Row(line.number, line.offset, line.content, value)
    return _judged(line, decoder)


def _judged(line: Line, decoder: Decoder) -> Row | Rejected:
    """By the parser of the standard library, which decides what orjson refuses or reads differently."""
    decoded = decoder.line(line)
    if isinstance(decoded, Rejected):
        return decoded
    try:
        value = _DECODER.decode(decoded.text)
    except ValueError as error:
        return decoder.rejected("invalid_json" if line.complete else "truncated", line, str(error))
    if not isinstance(value, dict):
        return decoder.rejected("not_an_object", line, f"a JSON {type(value).__name__}")
    return Row(line.number, line.offset, line.content, value, decoded.repaired)


def _is_small(value: Any) -> bool:
    """Whether no number reaches 2**63, from where orjson silently turns integers into floats."""
    kind = type(value)
    if kind is str or value is None:
        return True
    if kind is dict:
        return all(type(item) is str or _is_small(item) for item in value.values())
    if kind is list:
        return all(type(item) is str or _is_small(item) for item in value)
    return bool(-_INT64_LIMIT < value < _INT64_LIMIT)


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
    if len(digits.lstrip("-")) > _INT64_DIGITS or not -_INT64_LIMIT <= int(digits) < _INT64_LIMIT:
        raise ValueError("an integer beyond 64 bits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number beyond the range of a float")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_int64, parse_float=_finite)
