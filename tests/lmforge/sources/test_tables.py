"""Tables: Parquet and both forms of Arrow by row, the column types that are read or refused, and damage."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmforge.errors import InputError
from lmforge.sources.fields import Columns
from lmforge.sources.rows import Row
from lmforge.sources.tables import arrow_rows, parquet_rows
from lmforge.text.records import Rejected


def _ipc(new: Callable, table: pa.Table, path: Path, compression: str | None = None) -> None:
    with pa.OSFile(str(path), "wb") as file:
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with new(file, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=2)


WRITERS = {
    "parquet": lambda table, path: pq.write_table(table, path, write_page_checksum=True),
    "arrow file": lambda table, path: _ipc(pa.ipc.new_file, table, path),
    "arrow stream": lambda table, path: _ipc(pa.ipc.new_stream, table, path),
    "arrow zstd": lambda table, path: _ipc(pa.ipc.new_file, table, path, "zstd"),
}
both = pytest.mark.parametrize("kind", WRITERS)


def _read(path: Path, columns: Columns, limit: int = 1 << 20) -> list[Row | Rejected]:
    rows = parquet_rows if path.read_bytes()[:4] == b"PAR1" else arrow_rows
    return list(rows(path, columns, "a", limit))


def _rows(kind: str, table: pa.Table, path: Path, columns: Columns | None = None) -> list[Row | Rejected]:
    WRITERS[kind](table, path / "a")
    return _read(path / "a", columns or Columns())


@both
def test_rows_hold_the_wanted_fields_and_count_from_one(kind: str, tmp_path: Path) -> None:
    table = pa.table({"text": ["one", "two", "three"], "n": [1, None, 3], "other": [[1], [], None]})
    rows = _rows(kind, table, tmp_path, Columns(id="n"))
    assert rows == [
        Row(1, None, b"one", {"text": "one", "n": 1}, unused=("other",)),
        Row(2, None, b"two", {"text": "two", "n": None}, unused=("other",)),
        Row(3, None, b"three", {"text": "three", "n": 3}, unused=("other",)),
    ]


@both
@pytest.mark.parametrize(
    "text", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.large_string())]
)
def test_nulls_and_invalid_bytes_are_told_by_row(kind: str, text: pa.DataType, tmp_path: Path) -> None:
    if kind == "parquet" and text == pa.string_view():
        text = pa.string()
    plain = text.value_type if pa.types.is_dictionary(text) else text
    as_bytes = {pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}.get(plain, pa.binary())
    column = pa.array([b"good", None, b"caf\xe9", b""], pa.binary()).cast(as_bytes).view(plain)
    if pa.types.is_dictionary(text):
        column = pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 2], text.index_type), column.drop_null())
    rows = _rows(kind, pa.table({"text": column}), tmp_path)
    found = [row.reason if isinstance(row, Rejected) else row.fields["text"] for row in rows]
    assert found == ["good", None, "invalid_utf8", ""]


@both
def test_values_of_other_types_become_text(kind: str, tmp_path: Path) -> None:
    day = datetime.datetime(2024, 5, 1, 12, 30, tzinfo=datetime.UTC)
    for value, type_, expected in [
        (decimal.Decimal("1.50"), pa.decimal128(9, 2), "1.50"),
        (day, pa.timestamp("ms", "UTC"), "2024-05-01 12:30:00.000Z"),
        (day.date(), pa.date32(), "2024-05-01"),
        ("a", pa.dictionary(pa.int8(), pa.string()), "a"),
        (None, pa.null(), None),
        (7, pa.uint64(), 7),
        (True, pa.bool_(), True),
    ]:
        table = pa.table({"text": ["x"], "id": pa.array([value], type_)})
        (row,) = _rows(kind, table, tmp_path, Columns(id="id"))
        assert isinstance(row, Row) and row.fields["id"] == expected


@both
@pytest.mark.parametrize("values", [[1, 2], [["a"], ["b"]], [b"a", b"b"], [{"a": 1}, None]])
def test_a_text_column_that_holds_no_strings_stops(kind: str, values: list, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a: field 'text' holds .*, not strings; write it as strings"):
        _rows(kind, pa.table({"text": values}), tmp_path)


@both
@pytest.mark.parametrize("values", [[["a"]], [{"a": 1}], [b"a"]])
def test_a_nested_id_stops(kind: str, values: list, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a: field 'id' holds .*, not single values"):
        _rows(kind, pa.table({"text": ["a"], "id": values}), tmp_path, Columns(id="id"))


@both
def test_a_missing_column_and_too_many_stop(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no field text; found Text\. did you mean 'Text'"):
        _rows(kind, pa.table({"Text": ["a"]}), tmp_path)
    wide = pa.table([pa.array(["a"])] * 10_001, names=["text", *map(str, range(10_000))])
    with pytest.raises(InputError, match=r"has 10,001 columns, more than 10,000"):
        _rows(kind, wide, tmp_path)


@both
def test_a_long_text_is_rejected_by_its_row(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](pa.table({"text": ["short", "x" * 100]}), tmp_path / "a")
    short, long = _read(tmp_path / "a", Columns(), 50)
    assert isinstance(short, Row) and isinstance(long, Rejected)
    assert (long.reason, long.line) == ("document_too_long", 2)


@both
def test_a_table_without_rows_has_none(kind: str, tmp_path: Path) -> None:
    assert _rows(kind, pa.table({"text": pa.array([], pa.string())}), tmp_path) == []


def test_a_parquet_bomb_stops(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["\n" * 60_000_000]}), tmp_path / "a", compression="zstd", use_dictionary=False)
    assert (tmp_path / "a").stat().st_size < 50_000
    with pytest.raises(InputError, match="expands more than 200 times"):
        _read(tmp_path / "a", Columns())


@both
def test_a_cut_at_any_byte_stops(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    WRITERS[kind](pa.table({"text": [f"document {n}" for n in range(6)], "id": range(6)}), path)
    content = path.read_bytes()
    for length in range(8, len(content), 3 if len(content) < 2_000 else 7):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"a: (damaged (Arrow|Parquet) file|the Arrow stream ends without)"):
            _read(path, Columns(id="id"))


def test_a_flipped_bit_in_a_page_stops(tmp_path: Path) -> None:
    path = tmp_path / "a"
    WRITERS["parquet"](pa.table({"text": ["word " * 50] * 50}), path)
    content = bytearray(path.read_bytes())
    content[60] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged Parquet file"):
        _read(path, Columns())


def test_offsets_that_point_nowhere_are_found_before_they_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    WRITERS["arrow file"](pa.table({"text": ["first", "second"]}), path)
    content = path.read_bytes()
    offsets = content.index(b"\0\0\0\0\x05\0\0\0\x0b\0\0\0")
    path.write_bytes(content[: offsets + 8] + b"\xff\xff\xff\x7f" + content[offsets + 12 :])
    with pytest.raises(InputError, match="damaged Arrow file"):
        _read(path, Columns())
