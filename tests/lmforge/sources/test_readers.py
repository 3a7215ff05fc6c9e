"""Readers: the same records from every format, field values as text, and files that are wrong as a whole."""

from __future__ import annotations

import bz2
import csv
import dataclasses
import gzip
import json
import lzma
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.sources.fields import Columns
from lmforge.sources.readers import read_records
from lmforge.sources.unpacking import compression
from lmforge.text.records import Record, Rejected

COLUMNS = Columns("body", id="key", label="stars", group="author")
FIELDS = [
    {"key": "a", "body": "first text", "stars": "5", "author": "x", "extra": "1"},
    {"key": "b", "body": "zweiter „Text“, mit Komma", "stars": "1", "author": "y", "extra": "2"},
]


def _write_jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(fields) + "\n" for fields in FIELDS))


def _write_csv(path: Path, delimiter: str = ",") -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(FIELDS)


def _write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(FIELDS), path)


def _write_arrow(path: Path) -> None:
    table = pa.Table.from_pylist(FIELDS)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


WRITERS = {
    "a.json": lambda path: path.write_text(json.dumps(FIELDS, indent=2)),
    "a.jsonl": _write_jsonl,
    "a.csv": _write_csv,
    "a.tsv": lambda path: _write_csv(path, "\t"),
    "a.parquet": _write_parquet,
    "a.arrow": _write_arrow,
}


def _read(path: Path, columns: Columns = COLUMNS, **options: object) -> list[Record | Rejected]:
    return list(read_records(path, columns, source="data/" + path.name, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_gives_the_same_records(tmp_path: Path, name: str, zipped: bool) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    if zipped:
        path = tmp_path / f"{name}.gz"
        path.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    records = _read(path)
    assert [(r.id, r.text, r.label, r.group) for r in records if isinstance(r, Record)] == [
        (fields["key"], fields["body"], fields["stars"], fields["author"]) for fields in FIELDS
    ]
    assert {record.source for record in records} == {f"data/{path.name}"}


def test_plain_text_ignores_field_names(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("first line\n\nsecond line\n")
    assert _read(tmp_path / "a.txt") == [
        Record("first line", "data/a.txt", 1),
        Record("second line", "data/a.txt", 3),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_field(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbftext\nhello\n")
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbftext\n\xff\nhello\nagain\n")
    for encoding in ("utf-8", "utf-8-sig"):
        rejected, *records = _read(tmp_path / "a.csv", Columns(), encoding=encoding)
        assert isinstance(rejected, Rejected) and rejected.offset == 8
        # Counted once, with the first record of the file.
        assert records == [Record("hello", "data/a.csv", 3, repaired="bom"), Record("again", "data/a.csv", 4)]


def _one(tmp_path: Path, line: str) -> Record | Rejected:
    (tmp_path / "one.jsonl").write_text('{"body": "x", "key": 0, "stars": 0, "author": 0}\n' + line + "\n")
    return _read(tmp_path / "one.jsonl")[1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"key": 1}', "missing_text"),
        ('{"body": null}', "missing_text"),
        ('{"body": 7}', "not_a_string"),
        ('{"body": ["a"]}', "not_a_string"),
        ('{"body": "a", "key": {"n": 1}}', "not_a_string"),
        ('{"body": "a", "stars": [1]}', "not_a_string"),
        ('{"body": "half \\ud83d"}', "lone_surrogate"),
        ('{"body": "a \\u0000"}', "nul_byte"),
        ('{"body": "a", "key": "\\udc00"}', "lone_surrogate"),
    ],
)
def test_a_field_of_the_wrong_type_is_rejected(tmp_path: Path, line: str, reason: str) -> None:
    rejected = _one(tmp_path, line)
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.line) == (reason, 2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3", "3"), ("3.0", "3"), ("2.5", "2.5"), ("true", "true"), ('"a b"', "a b"), ('""', None), ("null", None)],
)
def test_ids_and_labels_become_text(tmp_path: Path, value: str, expected: str | None) -> None:
    record = _one(tmp_path, f'{{"body": "a", "key": {value}, "stars": {value}}}')
    assert isinstance(record, Record)
    assert (record.id, record.label, record.group) == (expected, expected, None)


def test_empty_and_blank_texts_are_left_to_the_clean_stage(tmp_path: Path) -> None:
    assert _one(tmp_path, '{"body": ""}') == Record("", "data/one.jsonl", 2)
    assert _one(tmp_path, '{"body": " "}') == Record(" ", "data/one.jsonl", 2)


def test_a_field_that_no_json_line_has_stops_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"Body": "x"}\n{"title": "y"}\n')
    with pytest.raises(InputError, match=r"data/a\.jsonl: no field body; found Body, title\. did you mean 'Body'"):
        _read(tmp_path / "a.jsonl", Columns("body"))


def test_a_wrong_field_name_stops_before_a_large_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n' * 5_000)
    records = read_records(tmp_path / "a.jsonl", Columns("body"), source="a")
    seen = []
    with pytest.raises(InputError, match="no field body"):
        seen.extend(iter(records))
    assert len(seen) < 1_001


def test_a_missing_label_column_stops_too(tmp_path: Path) -> None:
    _write_csv(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"no field star; .*did you mean 'stars'"):
        _read(tmp_path / "a.csv", Columns("body", label="star"))


def test_another_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text\ncafé\n".encode("cp1252"))
    assert _read(tmp_path / "a.csv", Columns(), encoding="cp1252") == [Record("café", "data/a.csv", 2)]


def test_nul_characters_are_stripped_on_request_and_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a\\u0000b"}\n{"text": "c\0"}\n')
    assert _read(tmp_path / "a.jsonl", Columns(), nul_bytes="strip") == [
        Record("ab", "data/a.jsonl", 1, repaired="bom+nul_byte"),
        Record("c", "data/a.jsonl", 2, repaired="nul_byte"),
    ]


def test_labels_that_a_data_frame_made_floats(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "label": [1.0, float("nan")]})
    pq.write_table(table, tmp_path / "a.parquet")
    rows = _read(tmp_path / "a.parquet", Columns(label="label"))
    assert [row.label for row in rows if isinstance(row, Record)] == ["1", None]


def test_a_file_of_markdown_or_html_is_a_document(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Title\n\nText\n")
    (tmp_path / "a.html").write_text("<p>one</p>\n<p>two</p>\n")
    assert _read(tmp_path / "a.md") == [Record("# Title\n\nText\n", "data/a.md", 1)]
    assert _read(tmp_path / "a.html") == [Record("one\n\n\ntwo", "data/a.html", 1)]


def test_members_of_an_archive_are_read_by_their_own_formats(tmp_path: Path) -> None:
    for name, write in WRITERS.items():
        write(tmp_path / name)
    with tarfile.open(tmp_path / "all.tar.xz", "w:xz") as archive:
        for name in reversed(WRITERS):
            archive.add(tmp_path / name, f"data/{name}")
    records = [record for record in _read(tmp_path / "all.tar.xz") if isinstance(record, Record)]
    assert [record.source for record in records] == [f"data/all.tar.xz!data/{n}" for n in sorted(WRITERS) for _ in "12"]
    assert {record.text for record in records} == {fields["body"] for fields in FIELDS}
    assert len({record.name for record in records}) == 2 == len({record.id for record in records})


def test_a_member_without_a_record_stops(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "text")
        archive.writestr("b.txt", "\n\n")
    with pytest.raises(InputError, match=r"0 records in data/a\.zip!b\.txt"):
        _read(tmp_path / "a.zip")


FORMATS = ["a.txt", "a.md", "a.html", "a.json", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.arrow"]
PACKED = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
TOKENS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b",",
    b"\n",
    b"text",
    b'"text":',
    b'"a"',
    b"\xff",
    b"\0",
    b"\t",
    b"1e999",
]


def _outcome(directory: Path, name: str, content: bytes) -> list[tuple] | str:
    (directory / name).write_bytes(content)
    try:
        items = list(read_records(directory / name, Columns(), source="a", max_line_bytes=60))
    except InputError as error:
        return str(error).split(": ", 1)[1]
    assert all(isinstance(item, Record | Rejected) for item in items)
    return [dataclasses.astuple(item) if isinstance(item, Rejected) else tuple(item) for item in items]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40)
@given(content=st.binary(max_size=120) | st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join))
def test_any_bytes_are_records_or_an_input_error_and_alike_when_compressed(name: str, content: bytes) -> None:
    assume(compression(content) is None)
    with tempfile.TemporaryDirectory() as directory:
        plain, *others = [_outcome(Path(directory), name + end, pack(content)) for end, pack in PACKED.items()]
    assert others == [plain] * len(others)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.jsonl.gz", "a.json", "a.csv"])
def test_a_cut_at_any_byte_is_records_or_an_input_error(tmp_path: Path, name: str) -> None:
    lines = "".join(json.dumps({"text": f"document {n}"}) + "\n" for n in range(5)).encode()
    (tmp_path / "b.jsonl").write_bytes(lines)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "b.jsonl", "b.jsonl")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "b.jsonl", "b.jsonl")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "a.json").write_bytes(b"[" + lines.rstrip().replace(b"\n", b",") + b"]")
    (tmp_path / "a.csv").write_bytes(b'text\n"one\ntwo"\nthree\n')
    content = (tmp_path / name).read_bytes()
    whole = _outcome(tmp_path, name, content)
    # A container knows that it was cut; text formats keep what came before.
    length = content.rindex(b"}") + 1 if name == "a.tar" else len(content)
    for cut in range(4, length):
        found = _outcome(tmp_path, name, content[:cut])
        assert (
            isinstance(found, str) if name in ("a.zip", "a.tar", "a.jsonl.gz") else found != whole or cut > length - 2
        )
