"""Bad input of the stage collect that comes compressed or in an archive."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from functools import partial

from tests.bad_input.project import Case, Keeps, Stops

LINE = b'{"text": "good"}\n'
NOISY = b"".join(b'{"text": "%d"}\n' % number**9 for number in range(1, 3000))
SPREAD = "leads out of the archive"


def zipped(*members: str, content: bytes = LINE) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in members:
            info = zipfile.ZipInfo("member")
            # The constructor would clean the name.
            info.filename = info.orig_filename = name
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def tarred(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        info.size = len(LINE) if kind == tarfile.REGTYPE else 0
        archive.addfile(info, io.BytesIO(LINE) if info.size else None)
    return sink.getvalue()


def sized(packed: bytes, size: int) -> bytes:
    """A zip whose only member claims `size` bytes, in both of its headers."""
    local, central = packed.index(b"PK\x03\x04"), packed.index(b"PK\x01\x02")
    told = bytearray(packed)
    told[local + 22 : local + 26] = told[central + 24 : central + 28] = struct.pack("<I", size)
    return bytes(told)


_gz = partial(Case, file="data.jsonl.gz")
_zip = partial(Case, file="data.zip")
_tar = partial(Case, file="data.tar")
PACKED = gzip.compress(NOISY)
KINDS: dict[str, bytes] = {
    "a symbolic link": tarfile.SYMTYPE,
    "a hard link": tarfile.LNKTYPE,
    "a character device": tarfile.CHRTYPE,
    "a block device": tarfile.BLKTYPE,
    "a pipe": tarfile.FIFOTYPE,
}
NAMES = {
    "upwards": ("../a.jsonl", SPREAD),
    "absolute": ("/etc/a.jsonl", SPREAD),
    "a drive": ("C:/a.jsonl", SPREAD),
    "backslashes": ("a\\..\\..\\b.jsonl", SPREAD),
    "a NUL": ("a\0b.jsonl", "control character"),
    "long": ("x" * 250 + ".jsonl", "more than 255 bytes"),
}


def _members(make: Callable[..., bytes], case: Callable[..., Case], wanted: dict[str, tuple[str, str]]) -> list[Case]:
    return [
        case("member_names", f"{name}, {make.__name__}", make(member), Stops(rf"data\.\w+: member '.*{says}"))
        for name, (member, says) in wanted.items()
    ]


CASES = [
    _gz("gz_truncated", "in the data", PACKED[: len(PACKED) // 2], Stops(r"ends early, after [\d,]+ compressed bytes")),
    _gz("gz_truncated", "in the checksum", PACKED[:-3], Stops(r"ends early, after [\d,]+ compressed bytes")),
    _gz("gz_tail", "other bytes after it", gzip.compress(LINE) + b"tail",
        Stops(r"other bytes follow it at offset \d+")),
    _gz("gz_tail", "two members", gzip.compress(LINE) + gzip.compress(LINE), Keeps(("good", "good"))),
    _gz("gz_tail", "a wrong checksum", PACKED[:-8] + bytes(8), Stops("damaged gzip data")),
    _gz("bombs", "a small limit", PACKED, Stops("unpacks to more than 5,000 bytes"),
        settings={"max_unpacked_bytes": 5000}),
    _gz("bombs", "gzip in gzip", gzip.compress(gzip.compress(LINE)), Stops("is compressed twice, with gzip inside")),
    _zip("bombs", "archives in an archive", zipped("lib 0.zip", "lib 1.zip", content=zipped("a.jsonl")),
         Stops("lib 0.zip: is an archive where a file is expected")),
    _zip("bombs", "100,001 entries", zipped(*(f"{n}.txt" for n in range(100_001)), content=b""),
         Stops("more than 100,000 entries")),
    _zip("bombs", "a member that claims little", sized(zipped("a.jsonl", content=NOISY), 10), Stops("damaged|records")),
    _zip("bombs", "a member twice", zipped("a.jsonl", "a.jsonl"), Stops("holds 'a.jsonl' more than once")),
    *_members(zipped, _zip, NAMES),
    *_members(tarred, _tar, {name: NAMES[name] for name in ("upwards", "absolute", "backslashes", "long")}),
    *(_tar("member_kinds", name, tarred("a.jsonl", kind), Stops("member 'a.jsonl' is a link, a device or sparse"))
      for name, kind in KINDS.items()),
]  # fmt: skip
