"""Archives: sorted members of zip and tar, and whole archives refused for one unsafe member."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Sequence

import pytest

from lmforge.errors import InputError
from lmforge.sources.archives import archive_kind, open_archive
from lmforge.sources.unpacking import Budget

FILES = {"b.txt": b"two\n", "a/c.txt": b"one\n", "Z.txt": b"zero\n"}


def make_zip(files: dict[str, bytes], **changes: object) -> bytes:
    """A zip whose entries carry `changes` as attributes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            for key, value in changes.items():
                setattr(info, key, value)
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def make_tar(files: dict[str, bytes], kind: bytes = tarfile.REGTYPE, **changes: object) -> bytes:
    """A tar whose members are of this type."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


MAKE = {"zip": make_zip, "tar": make_tar}


def _read(content: bytes, budget: Budget | None = None) -> dict[str, bytes]:
    kind = archive_kind(content[:512])
    assert kind is not None
    budget = budget or Budget("a.zip", len(content), 1 << 30)
    with open_archive(io.BytesIO(content), kind, "a.zip", budget) as members:
        return {member.name: _all(member.open()) for member in members}


def _all(stream: object) -> bytes:
    return b"".join(iter(lambda: stream.read(1 << 16), b""))  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", MAKE)
def test_members_come_sorted_by_name(kind: str) -> None:
    assert list(_read(MAKE[kind](FILES)).items()) == sorted(FILES.items())


@pytest.mark.parametrize("kind", MAKE)
def test_hidden_members_and_directories_are_passed_over(kind: str) -> None:
    hidden = {".DS_Store": b"x", "__MACOSX/._a.txt": b"x", "d/.git/config": b"x", "./d//e.txt": b"kept"}
    assert _read(MAKE[kind](hidden)) == {"d/e.txt": b"kept"}
    assert _read(make_zip({"d/": b"", "d/e.txt": b"kept"})) == {"d/e.txt": b"kept"}
    assert _read(make_tar({"d": b""}, tarfile.DIRTYPE)) == {}


UNSAFE = {
    "../up.txt": "leads out",
    "a/../../up.txt": "leads out",
    "/etc/passwd": "leads out",
    "C:/windows.txt": "leads out",
    "a\\b.txt": "leads out",
    "a\x1bb.txt": "control character",
    "n" * 256: "more than 255 bytes",
}


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize(("name", "message"), UNSAFE.items())
def test_an_unsafe_name_refuses_the_archive(kind: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.zip: member .*{message}"):
        _read(MAKE[kind]({**FILES, name: b"x"}))


def test_a_zero_byte_in_a_name_is_seen() -> None:
    content = make_zip({"a.txtQ.exe": b"x"}).replace(b"Q.exe", b"\0.exe")
    with pytest.raises(InputError, match="control character"):
        _read(content)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S"]
)
def test_what_is_no_plain_file_refuses_the_tar(kind: bytes) -> None:
    with pytest.raises(InputError, match=r"member 'link\.txt' is a link, a device or sparse"):
        _read(make_tar({"link.txt": b""}, kind, linkname="/etc/passwd"))


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_in_a_zip_refuses_it(mode: int) -> None:
    with pytest.raises(InputError, match="is a link or a device"):
        _read(make_zip({"a.txt": b"/etc/passwd"}, external_attr=(mode | 0o777) << 16))


def test_an_encrypted_member_refuses_the_zip() -> None:
    content = bytearray(make_zip({"a.txt": b"x"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match="is encrypted"):
        _read(bytes(content))


@pytest.mark.parametrize("kind", MAKE)
def test_a_repeated_name_refuses_the_archive(kind: str) -> None:
    with pytest.raises(InputError, match=r"holds 'a\.txt' more than once"):
        _read(MAKE[kind]({"a.txt": b"x", "./a.txt": b"y"}))


def test_too_many_entries_stop() -> None:
    content = make_zip({"a.txt": b"x"})
    start = content.index(b"PK\x01\x02")
    directory, end = content[start:-22] * 100_001, bytearray(content[-22:])
    struct.pack_into("<L", end, 12, len(directory))
    with pytest.raises(InputError, match="more than 100,000 entries"):
        _read(content[:start] + directory + end)
    block = make_tar({"d": b""}, tarfile.DIRTYPE)[:512]
    assert _read(block * 99 + bytes(1024)) == {}


def test_a_bomb_in_a_zip_stops() -> None:
    content = make_zip({"a.txt": bytes(30_000_000)})
    assert len(content) < 50_000
    with pytest.raises(InputError, match="expands more than 200 times"):
        _read(content)


def test_many_small_bombs_share_one_budget() -> None:
    content = make_zip({f"{n}.txt": bytes(900_000) for n in range(9)})
    with pytest.raises(InputError, match="expands more than 200 times"):
        _read(content)


def test_an_extended_header_of_gigabytes_is_not_read() -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    with pytest.raises(InputError, match="list of members is too long"):
        _read(header.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))


def _damages(content: bytes) -> Sequence[bytes]:
    flipped = bytearray(content)
    flipped[len(content) // 3] ^= 0xFF
    return [content[: len(content) // 2], content[:-1], bytes(flipped)]


@pytest.mark.parametrize("number", range(3))
def test_a_damaged_zip_stops(number: int) -> None:
    with pytest.raises(InputError, match=r"a\.zip.*: damaged"):
        _read(_damages(make_zip({"a.txt": bytes(range(256)) * 9}))[number])


def test_a_tar_that_is_cut_between_members_stops() -> None:
    content = make_tar({"a.txt": b"x" * 512, "b.txt": b"y"})
    with pytest.raises(InputError, match="cut off at byte 1,024"):
        _read(content[:1024])
    with pytest.raises(InputError, match="damaged or cut off at byte 1,024"):
        _read(content[:1100] + b"\xff" + content[1101:])
    with pytest.raises(InputError, match="damaged"):
        _read(content[:700])
