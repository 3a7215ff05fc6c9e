"""Lines: numbers and offsets, whatever the chunks; a line of any length in bounded memory."""

from __future__ import annotations

import hashlib
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.sources.lines import read_lines, read_whole


class Chunks:
    """Gives its bytes in pieces of its own choosing."""

    def __init__(self, content: bytes, size: int) -> None:
        self._file, self._size = io.BytesIO(content), size

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._size))


def test_lines_carry_number_offset_and_completeness() -> None:
    assert [tuple(line) for line in read_lines(io.BytesIO(b"one\n\ntwo\r\nthree"), 99, 3)] == [
        (1, 3, b"one", True, None),
        (2, 7, b"", True, None),
        (3, 8, b"two\r", True, None),
        (4, 13, b"three", False, None),
    ]
    assert list(read_lines(io.BytesIO(b""), 99)) == []


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\xff"])), st.integers(1, 7), st.integers(0, 4))
def test_chunks_and_limits_change_nothing_but_what_is_too_long(parts: list[bytes], size: int, limit: int) -> None:
    content = b"".join(parts)
    lines = list(read_lines(Chunks(content, size), limit))
    expected = content.split(b"\n")
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == len(expected) - (expected[-1] == b"")
    for line, whole in zip(lines, expected, strict=False):
        assert content[line.offset :].startswith(whole)
        assert line.content == whole
        assert line.sha256 == (hashlib.sha256(whole).hexdigest() if len(whole) > limit else None)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_long_line_is_cut_and_hashed_whole(end: bytes) -> None:
    content = b"x" * 3_000_000
    lines = list(read_lines(io.BytesIO(b"a\n" + content + end + (b"b\n" if end else b"")), 1_000))
    assert lines[1].sha256 == hashlib.sha256(content).hexdigest()
    assert len(lines[1].content) <= 4096
    assert [line.number for line in lines] == ([1, 2, 3] if end else [1, 2])
    assert lines[-1].offset == (3_000_003 if end else 2)


def test_a_line_of_just_the_limit_is_whole() -> None:
    lines = list(read_lines(io.BytesIO(b"x" * 10 + b"\n" + b"y" * 11 + b"\n"), 10))
    assert [line.sha256 is None for line in lines] == [True, False]


@pytest.mark.parametrize("reader", [read_lines, read_whole])
def test_a_line_of_100_megabytes_takes_a_few(reader) -> None:
    class Endless:
        left = 100_000_000

        def read(self, size: int, /) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return b"x" * size

    tracemalloc.start()
    found = reader(Endless(), 1 << 20)
    line = found if reader is read_whole else next(iter(found))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert line.sha256 == hashlib.sha256(b"x" * 100_000_000).hexdigest()
    assert peak < 8 << 20
