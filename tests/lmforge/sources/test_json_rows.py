"""Rows of JSON: every kind of broken object has its reason code, and the good ones around it survive in every shape."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.sources.decoding import Decoder
from lmforge.sources.json_rows import json_rows, read_elements
from lmforge.sources.rows import Row
from lmforge.sources.unpacking import Stream
from lmforge.text.records import Rejected


class Chunks:
    """Gives its bytes in pieces of its own choosing."""

    def __init__(self, content: bytes, size: int) -> None:
        self._file, self._size = io.BytesIO(content), size

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._size))


def _json(content: bytes, limit: int = 1 << 20, size: int = 1 << 20) -> list[Row | Rejected]:
    return list(json_rows(Stream(Chunks(content, size)), Decoder("a.json"), limit))


def _outcome(rows: list[Row | Rejected]) -> list[object]:
    return [row.reason if isinstance(row, Rejected) else row.fields["text"] for row in rows]


GOOD = b'{"text": "good"}'
DEEP = b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BROKEN = {
    "invalid_json": b'{"text": "trailing comma",}',
    "invalid_json NaN": b'{"text": "x", "score": NaN}',
    "invalid_json Infinity": b'{"text": "x", "score": -Infinity}',
    "invalid_json float": b'{"text": "x", "score": 1e999}',
    "invalid_json integer": b'{"text": "x", "n": ' + b"9" * 5_000 + b"}",
    "invalid_json int64": b'{"text": "x", "n": 9223372036854775808}',
    "invalid_json uint64": b'{"text": "x", "n": 18446744073709551615}',
    "invalid_json below int64": b'{"text": "x", "n": -9223372036854775809}',
    "invalid_json nested int": b'{"text": "x", "n": [{"m": 92233720368547758080}]}',
    "invalid_json control": b'{"text": "a\tb"}',
    "invalid_json missing colon": b'{"text" "a"}',
    "nested_too_deeply": DEEP,
    "nested_too_deeply a little": b'{"text": ' + b"[" * 65 + b"]" * 65 + b"}",
    "not_an_object": b'"text"',
    "not_an_object list": b"[1, 2]",
    "not_an_object number": b"7",
    "nul_byte": b'{"text": "a\0b"}',
    "invalid_utf8": b'{"text": "caf\xe9"}',
}


@pytest.mark.parametrize(("reason", "line"), BROKEN.items(), ids=BROKEN)
def test_a_broken_line_is_rejected_and_its_neighbours_kept(reason: str, line: bytes) -> None:
    rows = _json(b"\n".join([GOOD, line, GOOD]) + b"\n")
    assert _outcome(rows) == ["good", reason.split()[0], "good"]
    assert isinstance(rows[1], Rejected)
    assert (rows[1].source, rows[1].line, rows[1].offset) == ("a.json", 2, 17 + (13 if "utf8" in reason else 0))


@pytest.mark.parametrize("size", [7, 1 << 20])
@pytest.mark.parametrize(("reason", "element"), BROKEN.items(), ids=BROKEN)
def test_a_broken_element_is_rejected_and_its_neighbours_kept(reason: str, element: bytes, size: int) -> None:
    rows = _json(b"[" + b",\n ".join([GOOD, element, GOOD]) + b"]\n", size=size)
    assert _outcome(rows) == ["good", reason.split()[0], "good"]
    assert [row.line for row in rows] == [1, 2, 3]


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**62, 1e30, -1e300, 0.1, 1e-400])
def test_numbers_that_fit_are_read_exactly(value: float) -> None:
    (row,) = _json(json.dumps({"text": "x", "n": value}).encode())
    assert isinstance(row, Row) and (row.fields["n"], type(row.fields["n"])) == (value, type(value))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _in_range(value: Any) -> bool:
    if isinstance(value, dict | list):
        return all(map(_in_range, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or -(1 << 63) <= value < 1 << 63


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=5), st.integers(1, 40))
def test_any_objects_come_out_of_any_shape(objects: list[dict[str, Any]], size: int) -> None:
    expected = [value if _in_range(value) else "invalid_json" for value in objects]
    shapes = [
        "\n".join(map(json.dumps, objects)),
        json.dumps(objects),
        json.dumps(objects, indent=2, ensure_ascii=False),
        "\n".join(json.dumps(value, indent=1) for value in objects if value),
    ]
    for number, shape in enumerate(shapes):
        rows = _json(shape.encode() + b"\n", size=size)
        found = [row.reason if isinstance(row, Rejected) else row.fields for row in rows]
        assert found == [value for value in expected if value or number < 3]


def test_a_last_line_without_end_is_truncated_only_when_broken() -> None:
    assert _outcome(_json(GOOD + b'\n{"text": "half of')) == ["good", "truncated"]
    assert _outcome(_json(GOOD + b"\n" + GOOD)) == ["good", "good"]


ARRAYS = {
    b"[]": [],
    b" [ ]\n": [],
    b"[" + GOOD + b"," + GOOD + b"]": ["good", "good"],
    b"[" + GOOD + b",]": ["good", "invalid_json"],
    b"[" + GOOD + b",," + GOOD + b"]": ["good", "invalid_json", "good"],
    b"[" + GOOD: ["good", "truncated"],
    b"[" + GOOD + b",": ["good", "truncated"],
    b"[" + GOOD + b', {"text": "ha': ["good", "truncated"],
    b"[" + GOOD + b', {"text": "ha\\': ["good", "truncated"],
    b"[" + GOOD + b"] garbage": ["good", "invalid_json"],
    b"[" + GOOD + b"}," + GOOD + b"]": ["good", "invalid_json", "good"],
    b'[{"text": "no end of string},\n' + GOOD + b"," + GOOD + b"]": ["invalid_json"],
    b'[{"text": [1},' + GOOD + b"]": ["invalid_json", "good"],
    b"[" + GOOD + b"]\n[" + GOOD + b"]": ["good", "good"],
    b'{\n "text": "a"\n}\n{\n "text": "b"\n}\n': ["a", "b"],
    b'{\n "text": "a"\n}\n{\n "text":': ["a", "truncated"],
}


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(("content", "expected"), ARRAYS.items())
def test_arrays_and_pretty_printed_files(content: bytes, expected: list[str], size: int) -> None:
    assert _outcome(_json(content, size=size)) == expected


def test_elements_say_where_they_start() -> None:
    content = b'[\n  {"text": "a"},\n  {"text": "b"}\n]'
    assert [(row.line, row.offset) for row in _json(content)] == [(1, 4), (2, 21)]
    lines = list(read_elements(Stream(io.BytesIO(content)), 99, 3))
    assert [(line.offset, line.content) for line in lines] == [(7, b'{"text": "a"}'), (24, b'{"text": "b"}')]


def test_long_lines_and_elements_are_rejected() -> None:
    long = b'{"text": "' + b"x" * 200 + b'"}'
    assert _outcome(_json(b"\n".join([GOOD, long, GOOD]), 100)) == ["good", "line_too_long", "good"]
    assert _outcome(_json(b"[" + b",".join([GOOD, long, GOOD]) + b"]", 100, 8)) == ["good", "document_too_long", "good"]


def test_an_array_is_read_in_bounded_memory() -> None:
    class Endless:
        parts = iter([b"[", *[GOOD[:-2] + b"x" * 1000 + b'"},'] * 4_000, b'{"text": "', *[b"x" * 65_536] * 500])

        def read(self, size: int, /) -> bytes:
            return next(self.parts, b"")

    tracemalloc.start()
    reasons = [
        row.reason if isinstance(row, Rejected) else "" for row in json_rows(Stream(Endless()), Decoder("a"), 1 << 20)
    ]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (reasons.count(""), reasons[-1]) == (4_000, "document_too_long")
    assert peak < 5 << 20


def test_brackets_inside_strings_are_no_depth() -> None:
    text = "[{" * 1_000 + '\\"' * 3
    assert _outcome(_json(b'{"text": "' + text.encode() + b'"}\n')) == ["[{" * 1_000 + '"' * 3]


def test_wide_objects_are_not_deep() -> None:
    assert _outcome(_json(b'{"text": "x", "n": [' + b",".join([b"[1]"] * 500) + b"]}\n")) == ["x"]


@pytest.mark.parametrize("start", [b"", b"["])
@pytest.mark.parametrize(
    "noise", [b'"' + b'\\"' * 200_000, b"[" * 400_000, b"[" * 990 + b"}" * 400_000, b"\\" * 400_000]
)
def test_hostile_repeats_are_judged_in_linear_time(start: bytes, noise: bytes) -> None:
    rows = _json(start + GOOD + b",\n" * bool(start) + b"\n" * (not start) + b"{" * 70 + noise)
    assert _outcome(rows)[0] == "good" and len(rows) > 1


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_crash_the_reader(noise: bytes, size: int) -> None:
    rows = _json(GOOD + b"\n" + noise, size=size)
    assert rows[0] == Row(1, 0, GOOD, {"text": "good"})
    assert all(isinstance(row, Rejected | Row) for row in _json(b"[" + noise, size=size))


@given(st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b",", b'"', b"\\", b"\n", b"1", b'"a":', GOOD]), max_size=20))
def test_chunks_never_change_the_rows_of_an_array(parts: list[bytes]) -> None:
    content = b"[" + b"".join(parts)
    whole = _json(content)
    assert _json(content, size=1) == whole == _json(content, size=3)


def test_other_encodings_are_decoded_first() -> None:
    stream = Stream(io.BytesIO('{"text": "café"}\n'.encode("cp1252")))
    assert _outcome(list(json_rows(stream, Decoder("a", "cp1252"), 99))) == ["café"]


def test_nul_bytes_are_stripped_on_request() -> None:
    stream = Stream(io.BytesIO(b'{"text": "a\0b"}\n'))
    (row,) = json_rows(stream, Decoder("a", nul_bytes="strip"), 99)
    assert isinstance(row, Row) and (row.fields, row.repaired) == ({"text": "ab"}, "nul_byte")
