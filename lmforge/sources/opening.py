"""Files as streams of bytes: what may be opened, what it is, and the same for each member of an archive.

Compression, archives and tables are told by content; a file's ending only chooses among text formats.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from lmforge.errors import InputError
from lmforge.sources.archives import Member, archive_kind, open_archive
from lmforge.sources.unpacking import Budget, Stream, compression, unpacked
from lmforge.wording import listed, shown

_FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
_COMPRESSED = (".gz", ".gzip", ".bz2", ".xz", ".zst", ".zstd", ".lz4")
_ARCHIVES = (".zip", ".tar", ".tgz", ".tbz", ".tbz2", ".txz", ".tzst")
_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".npy", ".npz", ".dill"}
_UNPACK = "unpack it and name the files inside"
_EXPORT = "export the data as JSON Lines, CSV or Parquet"
_FOREIGN = {
    b"%PDF": ("a PDF document", "extract its text with `pdftotext`"),
    b"FEA1": ("a Feather file of version 1", "write it as Parquet"),
    b"\x93NUMPY": ("a NumPy array", _EXPORT),
    b"\x89HDF": ("an HDF5 file", _EXPORT),
    b"SQLite format 3\0": ("an SQLite database", _EXPORT),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", _UNPACK),
    b"\x1f\x9d": ("compressed with compress", "decompress it with `uncompress`"),
}
# The stream form of Arrow starts with a message of its schema, as the file form does after its first eight bytes.
_TABLES = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow"}
_HEAD_BYTES = 4096


class Opened(NamedTuple):
    """A file, or a member of an archive, whose bytes are ready; `member` is empty for a file."""

    member: str
    file_format: str
    stream: Stream


def format_of(name: str, declared: str = "auto", head: bytes = b"") -> str:
    """The format: as declared, else by the first bytes of a table, else by the ending.

    Raises InputError for an ending that tells nothing, and for pickled data whatever is declared.
    """
    endings = [ending.lower() for ending in PurePosixPath(name).suffixes[-2:]]
    if endings and endings[-1] in _COMPRESSED:
        endings.pop()
    ending = endings[-1] if endings else ""
    if ending in _PICKLES:
        raise InputError(
            f"{shown(name, 200)}: pickled data and arrays are refused, as reading them can run code; {_EXPORT}"
        )
    if declared == "csv" and _FORMATS.get(ending) == "tsv":
        return "tsv"
    if declared != "auto":
        return declared
    if ending in _FORMATS:
        return _FORMATS[ending]
    if table := _table(head):
        return table
    if ending in _ARCHIVES and archive_kind(head):
        raise InputError(f"{shown(name, 200)}: is an archive where a file is expected; {_UNPACK}")
    if ending in _ARCHIVES:
        raise InputError(
            f"{shown(name, 200)}: is named like an archive, but its content is none; copy or download it again"
        )
    raise InputError(
        f"{shown(name, 200)}: the ending {shown(ending)!r} tells no format; rename the file to one of "
        f"{', '.join(_FORMATS)} (each also with {', '.join(_COMPRESSED)}), or set `format`, for example to text"
    )


@contextmanager
def open_files(path: Path, declared: str, max_unpacked_bytes: int, members: str = "*") -> Iterator[Iterator[Opened]]:
    """The file itself, or the members of an archive whose names fit the glob `members`, decompressed, in order.

    Raises InputError, possibly while reading, for what cannot be read, is damaged, is no file of its format, expands
    too far, changes while it is open, or is an archive with an unsafe member (see `open_archive`) or an archive in it.
    """
    with _unchanged(path) as (packed, num_bytes):
        yield _opened(packed, path, num_bytes, declared, max_unpacked_bytes, members)


@contextmanager
def open_bytes(path: Path, file_format: str, max_unpacked_bytes: int = 1 << 40) -> Iterator[Stream]:
    """One file of a known format, decompressed; raises InputError as `open_files` does, and for an archive."""
    with _unchanged(path) as (packed, num_bytes):
        name = str(path)
        yield _leaf("", name, unpacked(packed, name, Budget(name, num_bytes, max_unpacked_bytes)), file_format).stream


@contextmanager
def _unchanged(path: Path) -> Iterator[tuple[Stream, int]]:
    """The packed bytes of a file and how many they are; InputError where they change meanwhile."""
    try:
        before = path.stat()
        with path.open("rb") as raw:
            yield Stream(raw, raw), before.st_size
        after = path.stat()
    except OSError as error:
        raise InputError(f"{shown(str(path), 200)}: cannot be read: {error.strerror or error}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{shown(str(path), 200)}: changed while it was read; run again when nothing writes to it")


def _opened(
    packed: Stream, path: Path, num_bytes: int, declared: str, max_unpacked_bytes: int, members: str
) -> Iterator[Opened]:
    name = str(path)
    budget = Budget(name, num_bytes, max_unpacked_bytes)
    stream = unpacked(packed, name, budget)
    kind = archive_kind(stream.peek(_HEAD_BYTES))
    if kind is None:
        yield _leaf("", name, stream, declared)
        return
    # By its name: what is in an archive of pickles would be refused only after reading.
    if path.suffix.lower() in _PICKLES:
        format_of(name)
    with stream.random_access() as file, open_archive(file, kind, name, budget) as found:
        for member in _chosen(found, members, name):
            inner = f"{name}!{member.name}"
            yield _leaf(member.name, inner, unpacked(member.open(), inner, budget), declared)


def _chosen(found: list[Member], members: str, name: str) -> list[Member]:
    chosen = [member for member in found if fnmatch.fnmatchcase(member.name, members)]
    if not chosen:
        raise InputError(
            f"{shown(name, 200)}: no member fits {shown(members)!r}; it holds "
            f"{listed(member.name for member in found) or 'none'}; set `members` to a glob of their names"
        )
    return chosen


def _leaf(member: str, name: str, stream: Stream, declared: str) -> Opened:
    head = stream.peek(_HEAD_BYTES)
    try:
        file_format = format_of(name, declared, head)
        _check_head(name, head, file_format)
    except InputError as error:
        hint = "; or choose other members with `members`, for example '*.jsonl'" if member else ""
        raise InputError(f"{error}{hint}") from error
    return Opened(member, file_format, stream)


def _check_head(name: str, head: bytes, file_format: str) -> None:
    for magic, (what, fix) in _FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"{shown(name, 200)}: is {what}; {fix}")
    if kind := compression(head):
        raise InputError(f"{shown(name, 200)}: is compressed twice, with {kind} inside; decompress it once")
    if kind := archive_kind(head):
        raise InputError(f"{shown(name, 200)}: is a {kind} archive where a file is expected; {_UNPACK}")
    # Protocol byte and version of a pickle; 0x80 starts no UTF-8 character.
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise InputError(f"{shown(name, 200)}: is pickled, and reading it can run code; {_EXPORT}")
    table, wanted = _table(head), file_format in _TABLES.values()
    if table and table != file_format:
        raise InputError(
            f"{shown(name, 200)}: is a table in the {table} format but is to be read as {file_format}; "
            "correct its ending or `format`"
        )
    if wanted and not table:
        raise InputError(
            f"{shown(name, 200)}: is no {file_format} file, or empty; correct its ending or `format`, or copy it again"
        )
    if not wanted and (wide := _wide(head)):
        raise InputError(
            f"{shown(name, 200)}: looks like {wide}; convert it with `iconv -f {wide} -t UTF-8 FILE > NEW`"
        )


def _table(head: bytes) -> str | None:
    return next((table for magic, table in _TABLES.items() if head.startswith(magic)), None)


def _wide(head: bytes) -> str | None:
    """`UTF-16` or `UTF-32` where a byte order mark or the zeros of Latin text in these encodings say so."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "UTF-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    # Latin text has a zero in every other byte of UTF-16, in three of four of UTF-32.
    share = head.count(0) / len(head) if len(head) > 3 else 0.0
    return "UTF-32" if share > 0.6 else "UTF-16" if share > 1 / 3 else None
