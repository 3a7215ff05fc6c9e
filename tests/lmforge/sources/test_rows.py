"""Rows of text formats: every kind of broken line has its reason code, and the good ones around it survive."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.sources.opening import read_lines
from lmforge.sources.rows import Row, csv_rows, json_rows, text_rows
from lmforge.text.records import Rejected


def _json(content: bytes, limit: int = 1 << 20) -> list[Row | Rejected]:
    return list(json_rows(read_lines(io.BytesIO(content), limit), "a.jsonl", "utf-8"))


def _csv(content: bytes, limit: int = 1 << 20, delimiter: str = ",") -> Iterator[Row | Rejected]:
    lines = read_lines(io.BytesIO(content), limit)
    return csv_rows(lines, "a.csv", "utf-8", delimiter=delimiter, wanted=["text"], max_field_bytes=limit)


def _outcome(rows: list[Row | Rejected]) -> list[object]:
    return [row.reason if isinstance(row, Rejected) else row.fields["text"] for row in rows]


GOOD = b'{"text": "good"}\n'
DEEP = b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
BROKEN_JSON = {
    "invalid_json": b'{"text": "trailing comma",}\n',
    "invalid_json NaN": b'{"text": "x", "score": NaN}\n',
    "invalid_json Infinity": b'{"text": "x", "score": -Infinity}\n',
    "invalid_json float": b'{"text": "x", "score": 1e999}\n',
    "invalid_json integer": b'{"text": "x", "n": ' + b"9" * 5_000 + b"}\n",
    "invalid_json int64": b'{"text": "x", "n": 9223372036854775808}\n',
    "invalid_json control": b'{"text": "a\tb"}\n',
    "nested_too_deeply": DEEP,
    "not_an_object": b'"text"\n',
    "not_an_object list": b"[1, 2]\n",
    "nul_byte": b'{"text": "a\0b"}\n',
    "invalid_utf8": b'{"text": "caf\xe9"}\n',
}


@pytest.mark.parametrize(("reason", "line"), BROKEN_JSON.items(), ids=BROKEN_JSON)
def test_a_broken_json_line_is_rejected_and_its_neighbours_kept(reason: str, line: bytes) -> None:
    rows = _json(GOOD + line + GOOD)
    assert _outcome(rows) == ["good", reason.split()[0], "good"]
    assert isinstance(rows[1], Rejected)
    assert (rows[1].source, rows[1].line) == ("a.jsonl", 2)


def test_the_offset_of_an_invalid_byte_is_its_own() -> None:
    (rejected,) = _json(b'\n\n{"text": "caf\xe9"}\n')
    assert isinstance(rejected, Rejected)
    assert (rejected.line, rejected.offset) == (3, 15)
    assert "0xe9" in rejected.detail and "cp1252" in rejected.detail


def test_a_last_line_without_end_is_truncated_only_when_broken() -> None:
    assert _outcome(_json(GOOD + b'{"text": "half of')) == ["good", "truncated"]
    assert _outcome(_json(GOOD + GOOD.rstrip())) == ["good", "good"]


def test_a_long_line_is_rejected() -> None:
    assert _outcome(_json(GOOD + b'{"text": "' + b"x" * 200 + b'"}\n' + GOOD, 100)) == ["good", "line_too_long", "good"]


def test_brackets_inside_strings_are_no_depth() -> None:
    text = "[{" * 1_000 + '\\"' * 3
    assert _outcome(_json(b'{"text": "' + text.encode() + b'"}\n')) == ["[{" * 1_000 + '"' * 3]


def test_wide_objects_are_not_deep() -> None:
    assert _outcome(_json(b'{"text": "x", "n": [' + b",".join([b"[1]"] * 500) + b"]}\n")) == ["x"]


def test_an_unclosed_string_of_quotes_is_judged_in_linear_time() -> None:
    assert _outcome(_json(GOOD + b"{" * 70 + b'"' + b'\\"' * 200_000 + b"\n")) == [
        "good",
        "nested_too_deeply",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'[{"text": "a"}]\n', r"JSON array, not JSON Lines; convert it with `jq -c"),
        (b"\n  [\n", "JSON array"),
        (b'{\n  "text": "a"\n}\n', "pretty-printed JSON"),
    ],
)
def test_other_shapes_of_json_stop_with_the_conversion(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _json(content)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_json_reader(noise: bytes) -> None:
    rows = _json(GOOD + noise)
    assert rows[0] == Row(1, 0, GOOD.rstrip(), {"text": "good"})
    assert all(isinstance(row, Rejected | Row) for row in rows)


def test_text_lines_are_documents() -> None:
    rows = list(text_rows(read_lines(io.BytesIO(b"one \r\n\n  \ntwo\nb\xffd\nn\0l"), 99), "a.txt", "utf-8"))
    assert _outcome(rows) == ["one ", "two", "invalid_utf8", "nul_byte"]
    assert [row.line for row in rows] == [1, 4, 5, 6]


def test_another_encoding_is_decoded_and_named_when_it_fails() -> None:
    lines = read_lines(io.BytesIO(b"caf\xe9\n\x81\n"), 99)
    assert _outcome(list(text_rows(lines, "a.txt", "cp1252"))) == ["café", "invalid_encoding"]


def test_csv_rows_with_quotes_line_breaks_and_extra_columns() -> None:
    rows = list(_csv(b'id,text\r\n1,"a ""quoted"", word"\r\n2,"two\nlines"\r\n\r\n3,last'))
    assert _outcome(rows) == ['a "quoted", word', "two\nlines", "last"]
    assert [(row.line, row.offset) for row in rows] == [(2, 9), (3, 33), (6, 50)]


def test_tab_separated_rows() -> None:
    assert _outcome(list(_csv(b"id\ttext\n1\ta, b\n", delimiter="\t"))) == ["a, b"]


BROKEN_CSV = {
    "ragged_row": b"1\n",
    "ragged_row long": b"1,a,b\n",
    "invalid_utf8": b"1,caf\xe9\n",
    "invalid_utf8 quoted": b'1,"one\ncaf\xe9"\n',
    "nul_byte": b"1,a\0b\n",
    "line_too_long": b"1," + b"x" * 300 + b"\n",
    "invalid_csv": b'1,"a"b\n',
}


@pytest.mark.parametrize(("reason", "line"), BROKEN_CSV.items(), ids=BROKEN_CSV)
def test_a_broken_csv_row_is_rejected_and_its_neighbours_kept(reason: str, line: bytes) -> None:
    rows = list(_csv(b"id,text\n0,good\n" + line + b"2,good\n", 200))
    assert _outcome(rows) == ["good", reason.split()[0], "good"]
    # An undecodable byte is named by its own line, which may not be the first of its row.
    assert rows[1].line == (4 if reason == "invalid_utf8 quoted" else 3)


def test_an_unclosed_quote_is_truncated() -> None:
    rows = list(_csv(b'id,text\n0,good\n1,"never closed\n2,swallowed\n'))
    assert _outcome(rows) == ["good", "truncated"]
    assert rows[1].line == 3


def test_a_field_beyond_the_limit_of_the_csv_module_is_read() -> None:
    assert _outcome(list(_csv(b"id,text\n1," + b"x" * 200_000 + b"\n"))) == ["x" * 200_000]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"id,id,text\n", "more than once"),
        (b"id,body\n", "no field text; found id, body"),
        (b'"text"x\n', "the header is not CSV"),
        (b"te\xffxt\n", "the header is refused as invalid_utf8"),
    ],
)
def test_a_bad_header_stops(header: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(_csv(header + b"1,a\n"))


def test_an_empty_csv_has_no_rows() -> None:
    assert list(_csv(b"")) == [] == list(_csv(b"\n\n"))


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_csv_reader(noise: bytes) -> None:
    rows = list(_csv(b"text\ngood\n" + noise))
    assert _outcome(rows[:1]) == ["good"]
