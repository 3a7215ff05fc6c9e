"""Unpacking: five compressions told by content, concatenation, and every kind of damage as an error with its place."""

from __future__ import annotations

import bz2
import errno
import gzip
import hashlib
import io
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.sources.unpacking import Budget, Stream, compression, unpacked


def _with_pyarrow(kind: str) -> Callable[[bytes], bytes]:
    def compress(content: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, kind) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()

    return compress


COMPRESS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": _with_pyarrow("zstd"),
    "lz4": _with_pyarrow("lz4"),
}
NOISE = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(9_000))


def _stream(packed: bytes, max_bytes: int = 1 << 30) -> Stream:
    return unpacked(Stream(io.BytesIO(packed)), "data/a", Budget("data/a", len(packed), max_bytes))


def _all(stream: Stream) -> bytes:
    return b"".join(iter(lambda: stream.read(1 << 16), b""))


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_and_concatenated_bytes_come_out_whole(kind: str) -> None:
    assert compression(COMPRESS[kind](b"one")[:8]) == kind
    assert _all(_stream(COMPRESS[kind](NOISE))) == NOISE
    assert _all(_stream(COMPRESS[kind](b"one\n") + COMPRESS[kind](NOISE))) == b"one\n" + NOISE


@pytest.mark.parametrize("kind", COMPRESS)
@given(content=st.binary(max_size=300))
def test_any_bytes_survive(kind: str, content: bytes) -> None:
    assert _all(_stream(COMPRESS[kind](content))) == content


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_many_members_are_one_stream(kind: str) -> None:
    assert _all(_stream(COMPRESS[kind](b"line\n") * 3_000)) == b"line\n" * 3_000


@pytest.mark.parametrize("text", [b"", b"BZhang wrote this\n", b"P*M is no skippable frame", b"plain"])
def test_text_is_left_alone(text: bytes) -> None:
    assert _all(_stream(text)) == text


def test_zeros_after_gzip_are_padding() -> None:
    assert _all(_stream(gzip.compress(b"text") + bytes(512))) == b"text"


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9999])
def test_truncated_data_stops_with_the_bytes_that_were_there(kind: str, keep: float) -> None:
    packed = COMPRESS[kind](NOISE)
    with pytest.raises(InputError, match=rf"data/a: the {kind} data ends early, after [\d,]+ compressed bytes"):
        _all(_stream(packed[: int(len(packed) * keep)]))


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_garbage_after_the_data_stops_with_its_offset(kind: str) -> None:
    packed = COMPRESS[kind](b"some text\n" * 100)
    with pytest.raises(InputError, match=f"other bytes follow it at offset {len(packed):,};"):
        _all(_stream(packed + b"garbage"))


@pytest.mark.parametrize("kind", ["zstd", "lz4"])
def test_garbage_after_frames_stops(kind: str) -> None:
    with pytest.raises(InputError, match=f"damaged {kind} data, or other bytes after it"):
        _all(_stream(COMPRESS[kind](b"some text\n" * 100) + b"garbage!"))


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_a_flipped_bit_stops(kind: str) -> None:
    packed = bytearray(COMPRESS[kind](NOISE))
    packed[len(packed) // 2] ^= 1
    with pytest.raises(InputError, match=f"damaged {kind} data"):
        _all(_stream(bytes(packed)))


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_bomb_stops_before_it_has_expanded(kind: str) -> None:
    stream = _stream(COMPRESS[kind](bytes(40_000_000)))
    num_bytes = 0
    with pytest.raises(InputError, match="expands more than 200 times"):
        while chunk := stream.read(1 << 20):
            num_bytes += len(chunk)
    assert num_bytes < 40_000_000


def test_a_cap_on_bytes_stops_too() -> None:
    with pytest.raises(InputError, match=r"unpacks to more than 1,000 bytes; .*`max_unpacked_bytes`"):
        _all(_stream(gzip.compress(NOISE), 1_000))


def test_an_error_of_the_disk_is_no_damage() -> None:
    class Broken:
        def read(self, size: int, /) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

    for kind in ("gzip", "zstd"):
        head = io.BytesIO(COMPRESS[kind](b"x")[:8])
        stream = Stream(type("Head", (), {"read": lambda _, n, h=head: h.read(n) or Broken().read(n)})())
        with pytest.raises(OSError, match="Input/output error") as raised:
            _all(unpacked(stream, "a", Budget("a", 99, 99)))
        assert raised.value.errno == errno.EIO


def test_looking_ahead_takes_nothing_away() -> None:
    stream = Stream(io.BytesIO(b"abcdef"))
    assert (stream.peek(3), stream.peek(5), stream.read(2), stream.peek(9)) == (b"abc", b"abcde", b"ab", b"cdef")
    assert (stream.read(99), stream.read(1), stream.peek(1)) == (b"cdef", b"", b"")


def test_random_access_is_the_file_itself_or_a_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(NOISE)
    with path.open("rb") as raw, Stream(raw, raw).random_access() as file:
        assert (file is raw, file.read()) == (True, NOISE)
    stream = _stream(gzip.compress(NOISE))
    stream.peek(100)
    with stream.random_access() as file:
        assert Path(file.name).read_bytes() == NOISE == file.read()
    assert not Path(file.name).exists()
