"""Opening: formats by content and ending, refusals by content, archives by member, and files that change."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest

from lmforge.errors import InputError
from lmforge.sources.opening import format_of, open_bytes, open_files

CAP = 1 << 30


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("a.jsonl", "auto", "jsonl"),
        ("a.NDJSON.gz", "auto", "jsonl"),
        ("a.json.zst", "auto", "json"),
        ("wiki.pt.jsonl.bz2", "auto", "jsonl"),
        ("a.b.csv.gz", "auto", "csv"),
        ("a.tsv.xz", "auto", "tsv"),
        ("a.tsv", "csv", "tsv"),
        ("a.parquet", "auto", "parquet"),
        ("a.feather", "auto", "arrow"),
        ("a.txt.lz4", "auto", "text"),
        ("README.md", "auto", "markdown"),
        ("index.HTML", "auto", "html"),
        ("a.log", "text", "text"),
        ("a", "jsonl", "jsonl"),
    ],
)
def test_format_follows_declaration_then_ending(name: str, declared: str, expected: str) -> None:
    assert format_of(name, declared) == expected


@pytest.mark.parametrize(("head", "expected"), [(b"PAR1", "parquet"), (b"ARROW1\0\0", "arrow")])
def test_a_table_without_an_ending_is_told_by_its_content(head: bytes, expected: str) -> None:
    assert format_of("data-00000", head=head) == expected


@pytest.mark.parametrize("name", ["a.docx", "a", "a.gz", "jsonl"])
def test_an_ending_that_tells_nothing_is_an_error_with_the_endings_that_do(name: str) -> None:
    with pytest.raises(InputError, match=r"tells no format.*\.jsonl.*set `format`"):
        format_of(name)


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle.gz", "a.pt", "a.npy", "a.joblib"])
def test_pickled_endings_are_refused_even_when_declared_as_text(name: str) -> None:
    with pytest.raises(InputError, match="can run code"):
        format_of(name, "text")


def test_an_archive_by_name_only_is_refused() -> None:
    with pytest.raises(InputError, match="named like an archive, but its content is none"):
        format_of("a.tar.gz")


def _read(path: Path, file_format: str = "text", members: str = "*") -> dict[str, bytes]:
    with open_files(path, file_format, CAP, members) as files:
        return {file.member: b"".join(iter(lambda f=file: f.stream.read(1 << 16), b"")) for file in files}


def _sqlite() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE a (b)")
    return connection.serialize()


@pytest.mark.parametrize(
    ("content", "file_format", "message"),
    [
        (b"%PDF-1.7", "text", "pdftotext"),
        (pickle.dumps([1]), "jsonl", "is pickled, and reading it can run code"),
        (_sqlite(), "text", "is an SQLite database; export"),
        (b"7z\xbc\xaf\x27\x1c", "text", "is a 7z archive; unpack it"),
        (b"PAR1....", "jsonl", "is a table in the parquet format but is to be read as jsonl"),
        (b"ARROW1\0\0", "parquet", "is a table in the arrow format but is to be read as parquet"),
        (b"text", "parquet", "is no parquet file, or empty"),
        (b"", "arrow", "is no arrow file, or empty"),
        ("héllo".encode("utf-16"), "text", "looks like UTF-16; convert it with `iconv -f UTF-16"),
        ("hello".encode("utf-16-le"), "csv", "looks like UTF-16"),
        ("hello".encode("utf-32-be"), "jsonl", "looks like UTF-32"),
        (b"\xff\xfe\0\0h\0\0\0", "html", "looks like UTF-32"),
    ],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_foreign_content_is_named_with_the_fix(
    tmp_path: Path, content: bytes, file_format: str, message: str, compress
) -> None:
    path = tmp_path / "data"
    path.write_bytes(compress(content))
    with pytest.raises(InputError, match=message):
        _read(path, file_format)


@pytest.mark.parametrize("outer", [gzip.compress, bz2.compress, lzma.compress])
def test_what_is_compressed_twice_is_refused(tmp_path: Path, outer) -> None:
    (tmp_path / "a").write_bytes(outer(gzip.compress(b"text")))
    with pytest.raises(InputError, match="is compressed twice, with gzip inside"):
        _read(tmp_path / "a")


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "pack", [_zip, _tar, lambda files: gzip.compress(_tar(files)), lambda f: lzma.compress(_zip(f))]
)
def test_members_are_files_of_their_own_each_maybe_compressed(tmp_path: Path, pack) -> None:
    (tmp_path / "a").write_bytes(pack({"b.txt": b"two", "a/c.txt.gz": gzip.compress(b"one"), ".hidden": b"x"}))
    assert list(_read(tmp_path / "a", "auto").items()) == [("a/c.txt.gz", b"one"), ("b.txt", b"two")]


@pytest.mark.parametrize("inner", [_zip, _tar, lambda files: gzip.compress(_tar(files))])
def test_an_archive_in_an_archive_is_refused(tmp_path: Path, inner) -> None:
    (tmp_path / "a.zip").write_bytes(_zip({"inner.txt": inner({"a.txt": b"text"})}))
    with pytest.raises(InputError, match=r"a\.zip!inner\.txt: is a (zip|tar) archive where a file is expected"):
        _read(tmp_path / "a.zip")


def test_a_member_of_no_known_format_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(_zip({"docs/LICENSE": b"free", "a.txt": b"text", "model.pkl": b"x"}))
    with pytest.raises(InputError, match=r"a\.zip!docs/LICENSE.*tells no format.*choose other members with `members`"):
        _read(path, "auto")
    assert _read(path, "auto", "*.txt") == {"a.txt": b"text"}
    with pytest.raises(InputError, match=r"no member fits '\*\.csv'; it holds a\.txt, docs/LICENSE, model\.pkl"):
        _read(path, "auto", "*.csv")


def test_a_pickle_in_a_zip_is_still_a_pickle(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(_zip({"data.txt": b"x"}))
    with pytest.raises(InputError, match="can run code"):
        _read(tmp_path / "model.pt")


def test_one_file_can_be_opened_without_members(tmp_path: Path) -> None:
    (tmp_path / "a.xml.gz").write_bytes(gzip.compress(b"<a/>"))
    with open_bytes(tmp_path / "a.xml.gz", "xml") as stream:
        assert stream.read(99) == b"<a/>"
    (tmp_path / "a.zip").write_bytes(_zip({"a.xml": b"<a/>"}))
    with pytest.raises(InputError, match="is a zip archive where a file"), open_bytes(tmp_path / "a.zip", "xml"):
        pass


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
