"""Rows of CSV and plain text: every kind of broken line has its reason code, and the good ones around it survive."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.sources.decoding import Decoder
from lmforge.sources.lines import Line, read_lines, read_whole
from lmforge.sources.rows import Row, csv_rows, paragraph_rows, text_rows, whole_row
from lmforge.text.records import Rejected


def _csv(content: bytes, limit: int = 1 << 20, delimiter: str = ",") -> Iterator[Row | Rejected]:
    lines = read_lines(io.BytesIO(content), limit)
    return csv_rows(lines, Decoder("a.csv"), delimiter=delimiter, wanted=["text"], max_field_bytes=limit)


def _lines(content: bytes, limit: int = 99) -> Iterator[Line]:
    return read_lines(io.BytesIO(content), limit)


def _outcome(rows: list[Row | Rejected]) -> list[object]:
    return [row.reason if isinstance(row, Rejected) else row.fields["text"] for row in rows]


def test_text_lines_are_documents() -> None:
    rows = list(text_rows(_lines(b"one \r\n\n  \ntwo\nb\xffd\nn\0l"), Decoder("a.txt")))
    assert _outcome(rows) == ["one ", "two", "invalid_utf8", "nul_byte"]
    assert [row.line for row in rows] == [1, 4, 5, 6]


def test_another_encoding_is_decoded_and_named_when_it_fails() -> None:
    lines = _lines(b"caf\xe9\n\x81\n")
    assert _outcome(list(text_rows(lines, Decoder("a.txt", "cp1252")))) == ["café", "invalid_encoding"]


def _paragraphs(content: bytes, limit: int = 99) -> list[Row | Rejected]:
    return list(paragraph_rows(_lines(content, limit), Decoder("a.txt"), limit))


def test_blank_lines_part_paragraphs() -> None:
    rows = _paragraphs(b"\n one\r\ntwo\r\n\r\n \t\nthree\n\n\n")
    assert _outcome(rows) == [" one\ntwo\r", "three"]
    assert [(row.line, row.offset) for row in rows] == [(2, 1), (6, 17)]
    assert _paragraphs(b"") == [] == _paragraphs(b"\n\n \n")


def test_a_broken_paragraph_is_rejected_and_its_neighbours_kept() -> None:
    assert _outcome(_paragraphs(b"a\n\nb\nc\xff\nd\n\ne")) == ["a", "invalid_utf8", "e"]
    assert _outcome(_paragraphs(b"a\n\nb\n" + b"x" * 200 + b"\nc\n\nd", 100)) == ["a", "line_too_long", "d"]
    assert _outcome(_paragraphs(b"a\n\n" + b"xxxx\n" * 30 + b"\nd", 100)) == ["a", "document_too_long", "d"]


@given(st.lists(st.sampled_from(["a", "b c", "\n", " "])))
def test_paragraphs_keep_every_word_in_order(parts: list[str]) -> None:
    rows = _paragraphs("".join(parts).encode(), 1 << 20)
    assert " ".join(row.fields["text"] for row in rows if isinstance(row, Row)).split() == "".join(parts).split()


def test_a_whole_file_is_one_document() -> None:
    def whole(content: bytes) -> list[Row | Rejected]:
        return list(whole_row(read_whole(io.BytesIO(content), 99), Decoder("a.md")))

    assert whole(b"# Title\r\n\r\ntext\n") == [Row(1, 0, b"# Title\r\n\r\ntext\n", {"text": "# Title\n\ntext\n"})]
    assert whole(b"") == [] == whole(b" \n")
    assert _outcome(whole(b"a\n\xff")) == ["invalid_utf8"]
    assert _outcome(whole(b"a\n" * 50)) == ["document_too_long"]


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


def test_a_row_of_many_long_fields_is_bounded() -> None:
    fields = b",".join([b'"' + b"x\n" * 45 + b'"'] * 5)
    rows = list(_csv(b"text,b,c,d,e\n" + fields + b"\n", 100))
    assert _outcome(rows)[0] == "line_too_long"
    assert "spans" in rows[0].detail and "a quote is missing" in rows[0].detail


def test_nul_bytes_in_csv_are_stripped_on_request() -> None:
    decoder = Decoder("a.csv", nul_bytes="strip")
    rows = list(csv_rows(_lines(b"text\na\0b\nc\n"), decoder, delimiter=",", wanted=["text"], max_field_bytes=99))
    assert [(row.fields["text"], row.repaired) for row in rows] == [("ab", "nul_byte"), ("c", "")]


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
