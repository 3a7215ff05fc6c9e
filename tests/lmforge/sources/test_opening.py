"""Opening: formats by ending, refusals by content, gunzip that notices damage and bombs, bounded lines."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import zipfile
from pathlib import Path

import pytest

from lmforge.errors import InputError
from lmforge.sources.opening import format_of, open_bytes, read_lines


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("a.jsonl", "auto", "jsonl"),
        ("a.NDJSON.gz", "auto", "jsonl"),
        ("a.b.csv.gz", "auto", "csv"),
        ("a.tsv", "auto", "tsv"),
        ("a.tsv", "csv", "tsv"),
        ("a.parquet", "auto", "parquet"),
        ("a.txt", "auto", "text"),
        ("a.log", "text", "text"),
        ("a", "jsonl", "jsonl"),
    ],
)
def test_format_follows_declaration_then_ending(name: str, declared: str, expected: str) -> None:
    assert format_of(Path(name), declared) == expected


@pytest.mark.parametrize("name", ["a.docx", "a", "a.gz", "jsonl"])
def test_an_ending_that_tells_nothing_is_an_error_with_the_endings_that_do(name: str) -> None:
    with pytest.raises(InputError, match=r"tells no format.*\.jsonl.*set `format`"):
        format_of(Path(name))


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle", "a.pt", "a.npy"])
def test_pickled_endings_are_refused_even_when_declared_as_text(name: str) -> None:
    with pytest.raises(InputError, match="can run code"):
        format_of(Path(name), "text")


def _read(path: Path, file_format: str = "text") -> bytes:
    with open_bytes(path, file_format) as file:
        return file.read()


def test_plain_gzipped_and_concatenated_files_read_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one\ntwo\n")
    (tmp_path / "b").write_bytes(gzip.compress(b"one\ntwo\n"))
    (tmp_path / "c").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert {_read(tmp_path / name) for name in "abc"} == {b"one\ntwo\n"}


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "text")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "file_format", "message"),
    [
        (_zip(), "text", "is a zip archive; unpack it"),
        (b"BZh91AY", "text", "bunzip2"),
        (b"%PDF-1.7", "text", "pdftotext"),
        (pickle.dumps([1]), "jsonl", "is pickled, and reading it can run code"),
        (b"\0" * 257 + b"ustar", "text", "is a tar archive"),
        (b"PAR1....", "jsonl", "is a Parquet file but is to be read as jsonl"),
        (b"text", "parquet", "is not a Parquet file"),
        (b"", "parquet", "is not a Parquet file"),
        ("héllo".encode("utf-16"), "text", "iconv -f UTF-16"),
        ("hello".encode("utf-16-le"), "csv", "iconv -f UTF-16"),
        ("hello".encode("utf-32-be"), "jsonl", "iconv -f UTF-16"),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_foreign_content_is_named_with_the_fix(
    tmp_path: Path, content: bytes, file_format: str, message: str, compress: bool
) -> None:
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(content) if compress else content)
    with pytest.raises(InputError, match=message):
        _read(path, file_format)


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9999])
def test_truncated_gzip_stops_with_the_bytes_that_were_there(tmp_path: Path, keep: float) -> None:
    content = gzip.compress(b"".join(hashlib.sha256(bytes([n % 256])).digest() for n in range(9_000)))
    path = tmp_path / "a.txt.gz"
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InputError, match=r"ends early, after [\d,]+ compressed bytes"):
        _read(path)


@pytest.mark.parametrize("damage", ["garbage after", "flipped bit"])
def test_damaged_gzip_stops(tmp_path: Path, damage: str) -> None:
    content = bytearray(gzip.compress(b"some text\n" * 100))
    if damage == "garbage after":
        content += b"garbage"
    else:
        content[-6] ^= 1
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(InputError, match="damaged gzip data"):
        _read(tmp_path / "a.gz")


def test_a_bomb_stops_before_it_has_expanded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress(b"0" * 50_000_000))
    with pytest.raises(InputError, match="expands more than 200 times"), open_bytes(path, "text") as file:
        for line in read_lines(file, 1 << 20):
            assert len(line.content) < 1 << 21


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        _read(tmp_path / "gone.txt")
    with pytest.raises(InputError, match="Is a directory"):
        _read(tmp_path)


def test_a_file_that_changes_while_it_is_read_stops(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\n")
    with pytest.raises(InputError, match="changed while it was read"), open_bytes(path, "text"):
        path.write_bytes(b"one\ntwo\n")


def test_lines_carry_number_offset_and_completeness() -> None:
    lines = list(read_lines(io.BytesIO(b"\xef\xbb\xbfone\n\ntwo\r\nthree"), 99))
    assert [tuple(line[:4]) for line in lines] == [
        (1, 0, b"one", True),
        (2, 7, b"", True),
        (3, 8, b"two\r", True),
        (4, 13, b"three", False),
    ]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_long_line_is_cut_and_hashed_whole(end: bytes) -> None:
    content = b"x" * 3_000_000
    lines = list(read_lines(io.BytesIO(b"a\n" + content + end + (b"b\n" if end else b"")), 1_000))
    assert lines[1].sha256 == hashlib.sha256(content).hexdigest()
    assert len(lines[1].content) <= 4096
    assert [line.number for line in lines] == ([1, 2, 3] if end else [1, 2])


def test_a_line_of_just_the_limit_is_whole() -> None:
    lines = list(read_lines(io.BytesIO(b"x" * 10 + b"\n" + b"y" * 11 + b"\n"), 10))
    assert [line.sha256 is None for line in lines] == [True, False]
