"""Readers: the same records from every format, field values as text, and files that are wrong as a whole."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmforge.errors import InputError
from lmforge.sources.fields import Columns
from lmforge.sources.readers import read_records
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


WRITERS = {
    "a.jsonl": _write_jsonl,
    "a.csv": _write_csv,
    "a.tsv": lambda path: _write_csv(path, "\t"),
    "a.parquet": _write_parquet,
}


def _read(path: Path, columns: Columns = COLUMNS, **settings: object) -> list[Record | Rejected]:
    return list(read_records(path, columns, source="data/" + path.name, **settings))  # type: ignore[arg-type]


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
    assert _read(tmp_path / "a.csv", Columns()) == [Record("hello", "data/a.csv", 2)]
    assert _read(tmp_path / "a.csv", Columns(), encoding="utf-8-sig") == [Record("hello", "data/a.csv", 2)]


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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le"])
def test_an_encoding_without_bytes_for_lines_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="iconv"):
        _read(tmp_path / "a.txt", encoding=encoding)


@pytest.mark.parametrize("encoding", ["klingon", "rot13", ""])
def test_an_unknown_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="unknown; write for example"):
        _read(tmp_path / "a.txt", encoding=encoding)


def test_another_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text\ncafé\n".encode("cp1252"))
    assert _read(tmp_path / "a.csv", Columns(), encoding="cp1252") == [Record("café", "data/a.csv", 2)]


def test_parquet_nulls_and_invalid_bytes_are_rejected_by_row(tmp_path: Path) -> None:
    texts = pa.array([b"good", None, b"caf\xe9", b""], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
    rows = _read(tmp_path / "a.parquet", Columns())
    outcome = [row.reason if isinstance(row, Rejected) else row.text for row in rows]
    assert outcome == ["good", "missing_text", "invalid_utf8", ""]
    assert [row.line for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_other_string_types_of_parquet_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    pq.write_table(pa.table({"text": pa.array(["a", "b", "a"]).cast(kind)}), tmp_path / "a.parquet")
    assert [row.text for row in _read(tmp_path / "a.parquet", Columns()) if isinstance(row, Record)] == ["a", "b", "a"]


def test_parquet_labels_that_a_data_frame_made_floats(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "label": [1.0, float("nan")]})
    pq.write_table(table, tmp_path / "a.parquet")
    rows = _read(tmp_path / "a.parquet", Columns(label="label"))
    assert [row.label for row in rows if isinstance(row, Record)] == ["1", None]


@pytest.mark.parametrize("values", [[1, 2], [["a"], ["b"]], [b"a", b"b"]])
def test_a_parquet_column_that_holds_no_strings_stops(tmp_path: Path, values: list) -> None:
    pq.write_table(pa.table({"text": values}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"field 'text' holds .*, not strings"):
        _read(tmp_path / "a.parquet", Columns())


@pytest.mark.parametrize("keep", [4, 0.25, 0.5, -1])
def test_truncated_parquet_stops(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "a.parquet"
    _write_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(InputError, match="damaged Parquet file"):
        _read(path)


def test_parquet_with_a_flipped_bit_stops(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["word " * 50] * 50}), path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[60] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged Parquet file"):
        _read(path, Columns())
