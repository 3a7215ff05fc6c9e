"""Files as bytes: what may be opened, transparent gunzip with a cap on expansion, and lines of bounded length.

Formats and compression are told by content where the content can tell; a file's ending only chooses among text formats.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from lmforge.errors import InputError
from lmforge.wording import shown

_FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
    ".text": "text",
}
_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy", ".npz"}
_UNPACK = "unpack it and name the files inside"
_FOREIGN = {
    b"PK\x03\x04": ("a zip archive", _UNPACK),
    b"BZh": ("compressed with bzip2", "decompress it with `bunzip2`"),
    b"\xfd7zXZ\x00": ("compressed with xz", "decompress it with `unxz`"),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "decompress it with `unzstd`"),
    b"%PDF": ("a PDF document", "extract its text with `pdftotext`"),
    b"ARROW1": ("an Arrow file", "write it as Parquet"),
    b"\x93NUMPY": ("a NumPy array", "export the data as JSON Lines, CSV or Parquet"),
}
_PARQUET = b"PAR1"
_HEAD_BYTES = 4096
# deflate cannot expand more than 1032 times; real text stays below 20.
_MAX_EXPANSION = 200
_FREE_BYTES = 1 << 20


class Line(NamedTuple):
    """One line without its end; `sha256` is set, and `content` cut, where it was longer than allowed."""

    number: int
    offset: int
    content: bytes
    complete: bool
    sha256: str | None = None


def format_of(path: Path, declared: str = "auto") -> str:
    """`jsonl`, `csv`, `tsv`, `parquet` or `text`: as declared, else by the ending; InputError if unknown."""
    if path.suffix.lower() in _PICKLES:
        raise InputError(
            f"{shown(str(path))}: pickled data and arrays are refused, as reading them can run code; "
            "export the data as JSON Lines, CSV or Parquet"
        )
    ending = Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()
    if declared == "csv" and ending == ".tsv":
        return "tsv"
    if declared != "auto":
        return declared
    if ending not in _FORMATS:
        raise InputError(
            f"{shown(str(path))}: the ending {shown(ending)!r} tells no format; rename the file to one of "
            f"{', '.join(_FORMATS)} (each also with .gz) or set `format` to jsonl, csv, parquet or text"
        )
    return _FORMATS[ending]


@contextmanager
def open_bytes(path: Path, file_format: str) -> Iterator[BinaryIO]:
    """Open a file for reading, gunzipped if it is gzipped.

    Raises InputError for what cannot be read, is damaged, is no file of `file_format`, expands more than 200 times or
    changes while it is open.
    """
    try:
        before = path.stat()
        with path.open("rb") as raw:
            file: BinaryIO = raw
            if raw.peek(2)[:2] == b"\x1f\x8b":
                # By content: files named .gz are often already decompressed by the program that fetched them.
                file = _Gunzip(raw)  # type: ignore[assignment]
            _check_head(path, file.read(_HEAD_BYTES), file_format)
            file.seek(0)
            yield file
        after = path.stat()
    except EOFError as error:
        raise InputError(
            f"{shown(str(path))}: the gzip data ends early, after {path.stat().st_size:,} compressed bytes; "
            "copy or download the file again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{shown(str(path))}: damaged gzip data, or other bytes after it ({error}); copy or download it again"
        ) from error
    except OSError as error:
        raise InputError(f"{shown(str(path))}: cannot be read: {error.strerror or error}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{shown(str(path))}: changed while it was read; run again when nothing writes to it")


def read_lines(file: BinaryIO, max_line_bytes: int) -> Iterator[Line]:
    """Lines that end in a line feed, numbered from 1, with offsets from the start of the uncompressed file.

    A UTF-8 byte order mark at the start is left out. Memory is bounded by `max_line_bytes`.
    """
    number, offset = 0, 0
    while content := file.readline(max_line_bytes + 1):
        number += 1
        start, offset = offset, offset + len(content)
        if len(content) > max_line_bytes and not content.endswith(b"\n"):
            # Hashed in pieces, so that a line of any length takes constant memory.
            digest = hashlib.sha256(content)
            while rest := file.readline(1 << 20):
                offset += len(rest)
                digest.update(rest.removesuffix(b"\n"))
                if rest.endswith(b"\n"):
                    break
            yield Line(number, start, content[:_HEAD_BYTES], True, digest.hexdigest())
            continue
        if number == 1:
            content = content.removeprefix(b"\xef\xbb\xbf")
        yield Line(number, start, content.removesuffix(b"\n"), content.endswith(b"\n"))


class _Gunzip(gzip.GzipFile):
    """Stops a decompression bomb while it expands, whatever its header claims."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        super().__init__(fileobj=raw, mode="rb")

    def read(self, size: int | None = -1) -> bytes:
        return self._checked(super().read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._checked(super().readline(-1 if size is None else size))

    def _checked(self, content: bytes) -> bytes:
        if self.tell() > _MAX_EXPANSION * self._raw.tell() + _FREE_BYTES:
            raise InputError(
                f"{shown(str(self._raw.name))}: expands more than {_MAX_EXPANSION} times, like a decompression bomb; "
                "decompress it yourself if you trust it"
            )
        return content


def _check_head(path: Path, head: bytes, file_format: str) -> None:
    name = shown(str(path))
    for magic, (what, fix) in _FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"{name}: is {what}; {fix}")
    # Protocol byte and version of a pickle; 0x80 starts no UTF-8 character.
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise InputError(
            f"{name}: is pickled, and reading it can run code; export the data as JSON Lines, CSV or Parquet"
        )
    if head[257:262] == b"ustar":
        raise InputError(f"{name}: is a tar archive; {_UNPACK}")
    if (file_format == "parquet") != head.startswith(_PARQUET):
        wanted = "is not a Parquet file" if file_format == "parquet" else "is a Parquet file"
        raise InputError(f"{name}: {wanted} but is to be read as {file_format}; correct its ending or `format`")
    # Latin text has a zero in every other byte of UTF-16, in three of four of UTF-32.
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff") or head.count(0) * 3 > len(head)
    if file_format != "parquet" and wide:
        raise InputError(
            f"{name}: looks like UTF-16 or UTF-32; convert it with `iconv -f UTF-16 -t UTF-8 {path.name} > NEW`"
        )
