"""Lines of bounded length from a stream of bytes, each with its place in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from lmforge.sources.unpacking import Readable

_CHUNK_BYTES = 1 << 18
_SHOWN_BYTES = 4096


class Line(NamedTuple):
    """A piece of a file without its end; `sha256` is set, and `content` cut, where it was longer than allowed.

    number counts pieces from 1, offset bytes from the start of the unpacked file; complete: its end was seen.
    """

    number: int
    offset: int
    content: bytes
    complete: bool
    sha256: str | None = None


class Piece:
    """Collects the bytes of one line, or of one document of many lines, in memory bounded by `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._digest: hashlib._Hash | None = None
        self.num_bytes = 0

    def add(self, content: bytes) -> None:
        self.num_bytes += len(content)
        if self._digest is None:
            self._parts.append(content)
            if self.num_bytes <= self._max_bytes:
                return
            # Hashed in parts, so that a line of any length takes constant memory.
            content = b"".join(self._parts)
            self._digest, self._parts = hashlib.sha256(), []
        shown = sum(map(len, self._parts))
        if shown < _SHOWN_BYTES:
            self._parts.append(content[: _SHOWN_BYTES - shown])
        self._digest.update(content)

    def line(self, number: int, offset: int, complete: bool) -> Line:
        sha256 = self._digest.hexdigest() if self._digest else None
        return Line(number, offset, b"".join(self._parts), complete, sha256)


def read_lines(file: Readable, max_line_bytes: int, offset: int = 0) -> Iterator[Line]:
    """Lines that end in a line feed; `offset` is how much of the file was read before.

    Memory is bounded by `max_line_bytes`: a longer line comes cut, with the hash of all of it.
    """
    number, begun = 1, Piece(max_line_bytes)
    while chunk := file.read(_CHUNK_BYTES):
        first, *others = chunk.split(b"\n")
        begun.add(first)
        if not others:
            continue
        yield begun.line(number, offset, True)
        offset += begun.num_bytes + 1
        number += 1
        last = others.pop()
        for content in others:
            if len(content) > max_line_bytes:
                yield Line(number, offset, content[:_SHOWN_BYTES], True, hashlib.sha256(content).hexdigest())
            else:
                yield Line(number, offset, content, True)
            offset += len(content) + 1
            number += 1
        begun = Piece(max_line_bytes)
        begun.add(last)
    if begun.num_bytes:
        yield begun.line(number, offset, False)


def read_whole(file: Readable, max_bytes: int, offset: int = 0) -> Line:
    """All of the file as one piece."""
    piece = Piece(max_bytes)
    while chunk := file.read(_CHUNK_BYTES):
        piece.add(chunk)
    return piece.line(1, offset, True)
