"""The members of zip and tar archives, in the order of their names, each as a stream; nothing is ever extracted.

An archive with one member that no honest program writes (a path that leads out, a link, a device) is refused whole.
Hidden members (`.DS_Store`, `__MACOSX/`) are passed over, as a glob passes over hidden files.
"""

from __future__ import annotations

import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import BinaryIO, NamedTuple, TypeVar, cast

from lmforge.errors import InputError
from lmforge.sources.unpacking import Budget, Readable, Stream
from lmforge.wording import shown

_Entry = TypeVar("_Entry", zipfile.ZipInfo, tarfile.TarInfo)

_MAX_ENTRIES = 100_000
_MAX_NAME_BYTES = 255
# The directory of a zip and the extended header of a tar are read at once, however large they say they are.
_MAX_READ_BYTES = 1 << 26
_TAR_MAGIC = slice(257, 263)
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
# What the two modules raise for damage; RuntimeError is an encrypted member, NotImplementedError an unknown method.
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, RuntimeError, KeyError
)  # fmt: skip


class Member(NamedTuple):
    """A regular file in an archive; `open` may be called once, while the archive is open."""

    name: str
    open: Callable[[], Stream]


def archive_kind(head: bytes) -> str | None:
    """`zip` or `tar`, by the first 512 bytes."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "tar" if head[_TAR_MAGIC] in (b"ustar\0", b"ustar ") else None


@contextmanager
def open_archive(file: BinaryIO, kind: str, name: str, budget: Budget) -> Iterator[list[Member]]:
    """The visible regular files of a zip or tar, sorted by name; `file` must be able to seek.

    Raises InputError for damage, encryption, more than 100,000 entries and a member that is not a plain file or whose
    name is unsafe or repeated; reading a member raises it for damage and for a bomb.
    """
    bounded = cast(BinaryIO, _Bounded(file, name))
    with _reported(name):
        members = _zip(bounded, name, budget) if kind == "zip" else _tar(bounded, name)
        members.sort(key=lambda member: member.name)
    for before, after in pairwise(members):
        if before.name == after.name:
            raise InputError(f"{shown(name, 200)}: holds {shown(after.name)!r} more than once; pack the archive again")
    yield [member for member in members if not _is_hidden(member.name)]


def _zip(file: BinaryIO, name: str, budget: Budget) -> list[Member]:
    archive = zipfile.ZipFile(file)

    def opened(info: zipfile.ZipInfo) -> Stream:
        with _reported(f"{name}!{info.filename}"):
            return Stream(_Guarded(cast(Readable, archive.open(info)), f"{name}!{info.filename}", budget))

    members = []
    for info in _counted(archive.infolist(), name):
        mode = info.external_attr >> 16
        # Python cuts `filename` at a zero byte, and would then check another name than the one that is stored.
        safe = _safe_name(info.orig_filename, name)
        if info.is_dir():
            continue
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _refused(name, safe, "is a link or a device")
        if info.flag_bits & 1:
            raise _refused(name, safe, "is encrypted")
        members.append(Member(safe, lambda info=info: opened(info)))  # type: ignore[misc]
    return members


def _tar(file: BinaryIO, name: str) -> list[Member]:
    archive = tarfile.open(fileobj=file, mode="r:", errors="surrogateescape")  # noqa: SIM115

    def opened(info: tarfile.TarInfo) -> Stream:
        with _reported(f"{name}!{info.name}"):
            inner = cast(BinaryIO, archive.extractfile(info))
        return Stream(_Guarded(inner, f"{name}!{info.name}", None, info.size))

    members = []
    for info in _counted(archive, name):
        safe = _safe_name(info.name, name)
        if info.isdir():
            continue
        # A sparse member is a few bytes that stand for any number of zeros.
        if not info.isreg() or info.issparse():
            raise _refused(name, safe, "is a link, a device or sparse, not a plain file")
        members.append(Member(safe, lambda info=info: opened(info)))  # type: ignore[misc]
    # Python takes a damaged header, or a cut between two members, for the end of the archive.
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise InputError(
            f"{shown(name, 200)}: damaged or cut off at byte {archive.offset:,}; pack or copy the archive again"
        )
    return members


def _counted(entries: Iterable[_Entry], name: str) -> Iterator[_Entry]:
    for number, entry in enumerate(entries):
        if number == _MAX_ENTRIES:
            raise InputError(
                f"{shown(name, 200)}: holds more than {_MAX_ENTRIES:,} entries; split it into several archives"
            )
        yield entry


def _safe_name(member: str, archive: str) -> str:
    """The name without `./` and doubled slashes; InputError where it is no relative path below the archive."""
    parts = [part for part in member.split("/") if part not in ("", ".")]
    if _CONTROL.search(member):
        raise _refused(archive, member, "has a control character or bytes that are not UTF-8 in its name")
    if member.startswith("/") or _DRIVE.match(member) or "\\" in member or ".." in parts:
        raise _refused(archive, member, "has a name that leads out of the archive")
    if len(member.encode()) > _MAX_NAME_BYTES:
        raise _refused(archive, member, f"has a name of more than {_MAX_NAME_BYTES} bytes")
    return "/".join(parts)


def _refused(archive: str, member: str, what: str) -> InputError:
    return InputError(
        f"{shown(archive, 200)}: member {shown(member)!r} {what}; pack the archive again from plain files"
    )


def _is_hidden(member: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in member.split("/"))


@contextmanager
def _reported(name: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        raise InputError(
            f"{shown(name, 200)}: damaged, encrypted or of an unknown kind ({shown(str(error))}); "
            "pack or download the archive again"
        ) from error


class _Guarded:
    """A member that reports its damage by name, and that it ended early."""

    def __init__(self, file: Readable, name: str, budget: Budget | None, size: int | None = None) -> None:
        self._file, self._name, self._budget, self._left = file, name, budget, size

    def read(self, size: int, /) -> bytes:
        with _reported(self._name):
            content = self._file.read(size)
        if self._budget is not None:
            self._budget.spend(len(content))
        if self._left is not None:
            self._left -= len(content)
            if not content and self._left > 0:
                raise InputError(f"{shown(self._name, 200)}: ends {self._left:,} bytes early; copy the archive again")
        return content


class _Bounded:
    """A file that refuses to give very many bytes at once."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        content = b"" if size > _MAX_READ_BYTES else self._file.read(_MAX_READ_BYTES + 1 if size < 0 else size)
        if size > _MAX_READ_BYTES or len(content) > _MAX_READ_BYTES:
            raise InputError(
                f"{shown(self._name, 200)}: its list of members is too long; split it into several archives"
            )
        return content
