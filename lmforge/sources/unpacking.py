"""Compressed bytes as a stream: gzip, bzip2, xz, zstd and LZ4 frames, told by content and stopped when they expand.

Concatenated members are read as one. A stream is read once, from start to end; what needs to jump about in it gets a
temporary file. Every damage is an InputError that names the file and where in it the damage lies.
"""

from __future__ import annotations

import bz2
import lzma
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, cast

from lmforge.errors import InputError, LmforgeError
from lmforge.wording import shown

# Skippable frames may come first, as pzstd writes them.
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{bytes([byte]) + b"\x2a\x4d\x18": "zstd" for byte in range(0x50, 0x60)},
    b"\x04\x22\x4d\x18": "lz4",
}
# deflate cannot expand more than 1032 times; real text stays below 20.
_MAX_EXPANSION = 200
_FREE_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 17
# `xz -9` needs 65 MB; a header can ask for 4 GB.
_MAX_XZ_MEMORY_BYTES = 1 << 28


class Readable(Protocol):
    """Anything that gives its next bytes, at most `size`, and none only at its end."""

    def read(self, size: int, /) -> bytes: ...


class Budget:
    """How far one file of the user may expand, over all of its members and layers."""

    def __init__(self, name: str, num_packed_bytes: int, max_unpacked_bytes: int) -> None:
        self._name, self._max_bytes = name, max_unpacked_bytes
        self._by_ratio = _MAX_EXPANSION * num_packed_bytes + _FREE_BYTES
        self._num_bytes = 0

    def spend(self, num_bytes: int) -> None:
        """Count unpacked bytes; InputError when they are more than the packed size lets expect, or than is allowed."""
        self._num_bytes += num_bytes
        if self._num_bytes > self._by_ratio:
            raise InputError(
                f"{shown(self._name, 200)}: expands more than {_MAX_EXPANSION} times, like a decompression bomb; "
                "decompress it yourself if you trust it"
            )
        if self._num_bytes > self._max_bytes:
            raise InputError(
                f"{shown(self._name, 200)}: unpacks to more than {self._max_bytes:,} bytes; "
                "decompress it yourself, split it, or raise `max_unpacked_bytes`"
            )


class Stream:
    """Bytes in order, whose first ones can be looked at before they are read."""

    def __init__(self, file: Readable, random: BinaryIO | None = None) -> None:
        """`random`: the same bytes as a file on disk, where there is one."""
        self._file, self._random, self._ahead = file, random, b""

    def peek(self, num_bytes: int) -> bytes:
        """The next bytes, without reading them; fewer only where the stream ends."""
        while len(self._ahead) < num_bytes and (more := self._file.read(num_bytes - len(self._ahead))):
            self._ahead += more
        return self._ahead[:num_bytes]

    def read(self, size: int) -> bytes:
        """The next bytes, at most `size`; none at the end."""
        if self._ahead:
            ahead, self._ahead = self._ahead[:size], self._ahead[size:]
            return ahead
        return self._file.read(size)

    @contextmanager
    def random_access(self) -> Iterator[BinaryIO]:
        """All of the bytes as a file on disk, `name` its path; unpacked into a temporary one where need be."""
        if self._random is not None:
            self._random.seek(0)
            yield self._random
            return
        with tempfile.NamedTemporaryFile(prefix="lmforge-") as file:
            while chunk := self.read(_CHUNK_BYTES):
                _write(cast(BinaryIO, file), chunk)
            file.flush()
            file.seek(0)
            yield cast(BinaryIO, file)


def unpacked(stream: Stream, name: str, budget: Budget) -> Stream:
    """The decompressed stream, or the same one if it is not compressed; `name` is for messages.

    By content: files named .gz are often already decompressed by the program that fetched them.
    Reading raises InputError for truncated or damaged data, for other bytes after it, and for a bomb.
    """
    kind = compression(stream.peek(8))
    if kind is None:
        return stream
    if kind in ("zstd", "lz4"):
        return Stream(_Frames(stream, kind, name, budget))
    return Stream(_Members(stream, kind, name, budget))


def compression(head: bytes) -> str | None:
    """The name of the compression that these first bytes announce."""
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    # Three letters could begin a text; six bytes of pi follow them, or of its square root where nothing was compressed.
    if kind == "bzip2" and head[4:8] not in (b"1AY&", b"\x17\x72\x45\x38"):
        return None
    return kind


class _Members:
    """gzip, bzip2 or xz, member after member."""

    def __init__(self, packed: Readable, kind: str, name: str, budget: Budget) -> None:
        self._packed, self._kind, self._name, self._budget = packed, kind, name, budget
        self._magic = next(magic for magic, known in _MAGIC.items() if known == kind)
        self._num_read = 0
        self._engine = _engine(kind)

    def read(self, size: int, /) -> bytes:
        while True:
            if self._engine.eof and not self._next_member():
                return b""
            data = b""
            if self._engine.needs_input and not (data := self._more()):
                raise InputError(
                    f"{shown(self._name, 200)}: the {self._kind} data ends early, after {self._num_read:,} compressed "
                    "bytes; copy or download the file again"
                )
            try:
                content: bytes = self._engine.decompress(data, min(size, _CHUNK_BYTES))
            # bz2 says OSError for damage; errors of the disk come from `_more`.
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                raise _damaged(self._name, self._kind, self._num_read, error) from error
            if content:
                self._budget.spend(len(content))
                return content

    def _more(self) -> bytes:
        data = self._packed.read(_CHUNK_BYTES)
        self._num_read += len(data)
        return data

    def _next_member(self) -> bool:
        """Whether another member follows the one that ended; zeros between members are padding."""
        rest = self._engine.unused_data.lstrip(b"\0")
        while len(rest) < len(self._magic) and (more := self._more()):
            rest = (rest + more).lstrip(b"\0")
        if not rest:
            return False
        if not rest.startswith(self._magic):
            raise InputError(
                f"{shown(self._name, 200)}: damaged {self._kind} data: other bytes follow it at offset "
                f"{self._num_read - len(rest):,}; copy or download it again, or cut it off there"
            )
        self._engine = _engine(self._kind)
        self._packed, self._num_read = _Chained(rest, self._packed), self._num_read - len(rest)
        return True


class _Chained:
    """Bytes that were read too far, and then the rest."""

    def __init__(self, first: bytes, rest: Readable) -> None:
        # Kept flat, or a file of a million members would nest as deep.
        self._first: bytes = first + rest._first if isinstance(rest, _Chained) else first
        self._rest: Readable = rest._rest if isinstance(rest, _Chained) else rest

    def read(self, size: int, /) -> bytes:
        if self._first:
            first, self._first = self._first[:size], self._first[size:]
            return first
        return self._rest.read(size)


class _Inflate:
    """zlib in the shape of the other two engines."""

    def __init__(self) -> None:
        # 16 + 15: a gzip header, its checksum verified.
        self._zlib = zlib.decompressobj(31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        content = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self.needs_input = len(content) < max_length and not self._zlib.unconsumed_tail
        return content


def _engine(kind: str) -> Any:
    if kind == "gzip":
        return _Inflate()
    return (
        bz2.BZ2Decompressor()
        if kind == "bzip2"
        else lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY_BYTES)
    )


class _Frames:
    """zstd or LZ4 frames, by the codecs that come with pyarrow, which bound the window that a frame may ask for."""

    def __init__(self, packed: Readable, kind: str, name: str, budget: Budget) -> None:
        import pyarrow as pa

        self._kind, self._name, self._budget = kind, name, budget
        self._counted = _Counted(packed)
        self._stream = pa.CompressedInputStream(pa.PythonFile(self._counted, mode="r"), kind)

    def read(self, size: int, /) -> bytes:
        try:
            content: bytes = self._stream.read(min(size, _CHUNK_BYTES))
        except (OSError, MemoryError, ValueError) as error:
            if isinstance(error, InputError) or getattr(error, "errno", None) is not None:
                raise
            if "Truncated" in str(error):
                raise InputError(
                    f"{shown(self._name, 200)}: the {self._kind} data ends early, after {self._counted.num_read:,} "
                    "compressed bytes; copy or download the file again"
                ) from error
            raise _damaged(self._name, self._kind, self._counted.num_read, error) from error
        self._budget.spend(len(content))
        return content


class _Counted:
    """What pyarrow takes for a Python file; counts how far it was read."""

    closed = False

    def __init__(self, file: Readable) -> None:
        self._file, self.num_read = file, 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.num_read += len(data)
        return data

    def close(self) -> None:
        """Whoever opened the file closes it."""


def _write(file: BinaryIO, chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise LmforgeError(
            f"{tempfile.gettempdir()}: no room to unpack a file into ({error.strerror}); set TMPDIR to a larger disk"
        ) from error


def _damaged(name: str, kind: str, num_read: int, error: Exception) -> InputError:
    return InputError(
        f"{shown(name, 200)}: damaged {kind} data, or other bytes after it, within the first {num_read:,} "
        f"compressed bytes ({shown(str(error))}); copy or download it again"
    )
