"""Crawls: pages become their main text, WET texts stay, and broken records or files are told apart."""

import gzip
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.sources.warc import WarcSource
from lmforge.text.records import Record

PAGE = (
    b"<html><head><title>T</title><script>var x = 1;</script></head><body><nav><a href=/>menu entry</a></nav>"
    b"<article><p>Hello w\xc3\xb6rld, this is the text of the page.</p></article></body></html>"
)


def http(head, status=b"200 OK"):
    return b"HTTP/1.1 " + status + b"\r\n" + head + b"\r\n\r\n"


HTML = http(b"Content-Type: text/html; charset=utf-8")


def record(
    number, body=PAGE, *, head=HTML, kind="response", media_type="application/http; msgtype=response", length=None
):
    block = head + body
    lines = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        f"WARC-Record-ID: <urn:uuid:{number:08d}>",
        "WARC-Date: 2020-01-01T00:00:00Z",
        f"WARC-Target-URI: http://a.example/{number}",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(block) if length is None else length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        path = tmp_path / "crawl.warc"
        path.write_bytes(content)
        return list(WarcSource(kind="warc", path="crawl.warc", **options).read(path, "crawl.warc"))

    return read


CRAWL = [record(0, b"software: x", head=b"", kind="warcinfo"), record(1, b"", kind="request"), record(2), record(3)]


@pytest.mark.parametrize(
    "pack", [b"".join, lambda parts: b"".join(map(gzip.compress, parts)), lambda parts: gzip.compress(b"".join(parts))]
)
def test_pages_become_their_main_text(read, pack):
    first, second = read(pack(CRAWL))
    text = "Hello wörld, this is the text of the page."
    assert first == Record(text, "crawl.warc", 3, "00000002", origin="http://a.example/2")
    assert (second.line, second.id) == (4, "00000003")


def test_texts_of_wet_files_stay_as_they_are(read):
    (item,) = read(record(7, "line one\n  zwei ü".encode(), head=b"", kind="conversion", media_type="text/plain"))
    assert (item.text, item.origin) == ("line one\n  zwei ü", "http://a.example/7")


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (http(b"Content-Type: image/png"), b"\x89PNG"),
        (http(b"Content-Type: text/html", b"404 Not Found"), PAGE),
        (http(b"Location: /x", b"301 Moved"), b""),
    ],
)
def test_what_is_no_page_is_passed_over(read, head, body):
    assert read(record(1, body, head=head)) == []


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        (b"Content-Type: text/html; charset=iso-8859-1", b"<p>caf\xe9 au lait</p>", "café au lait"),
        (
            b"Content-Type: text/html",
            b"<meta charset=windows-1251><p>\xcf\xf0\xe8\xe2\xe5\xf2 \xec\xe8\xf0</p>",
            "Привет мир",
        ),
        (b"Content-Type: text/html; charset=latin1", "<p>schöne Grüße</p>".encode(), "schöne Grüße"),
        (b"Content-Type: text/plain; charset=nonsense", b"plain", "plain"),
        (
            b"Content-Type: text/html; charset=utf-8",
            b"<p>one stray \xff" + b" word" * 60 + b"</p>",
            "one stray \ufffd" + " word" * 60,
        ),
        (b"Content-Type: text/html\r\nContent-Encoding: gzip", gzip.compress(b"<p>packed</p>"), "packed"),
        (
            b"Content-Type: text/html\r\nTransfer-Encoding: chunked",
            b"9\r\n<p>in two\r\n6\r\n parts\r\n0\r\n\r\n",
            "in two parts",
        ),
    ],
)
def test_the_encoding_that_fits_is_used(read, head, body, text):
    (item,) = read(record(1, body, head=http(head)))
    assert item.text == text


@pytest.mark.parametrize(
    ("reason", "head", "body"),
    [
        ("invalid_http", b"no http", b"x"),
        ("invalid_http", http(b"Content-Type: text/html\r\nContent-Encoding: gzip"), b"not gzip"),
        ("invalid_http", http(b"Content-Type: text/html\r\nTransfer-Encoding: chunked"), b"zz\r\nx"),
        ("invalid_encoding", HTML, b"<p>" + b"\xff\xfe\x80" * 50 + b"</p>"),
        ("nested_too_deeply", HTML, b"<div>" * 5_000 + b"x"),
        ("missing_text", HTML, b"<nav>menu</nav>"),
        ("record_too_long", HTML, b"x" * 20_000),
        (
            "record_too_long",
            http(b"Content-Type: text/html\r\nContent-Encoding: gzip"),
            gzip.compress(bytes(range(256)) * 400),
        ),
    ],
)
def test_a_broken_page_is_quarantined_and_the_next_is_read(read, reason, head, body):
    broken, good = read(
        record(1, body, head=head) + record(2), max_record_bytes=32_000 if reason == "nested_too_deeply" else 10_000
    )
    assert (broken.reason, broken.line, broken.offset) == (reason, 1, 0)
    assert good.line == 2


def test_only_so_many_texts_of_a_file_are_taken(read):
    assert [item.line for item in read(b"".join(CRAWL), max_records=1)] == [3]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no crawl at all\n" * 100, "at byte 0"),
        (record(1) + b"garbage between records\r\n\r\n" + record(2), "after the record there: Invalid WARC header"),
        (record(1, length=10) + record(2), "Invalid WARC header"),
        (
            record(1) + record(2, length=10**12),
            rf"at byte {len(record(1))} \(uncompressed\): .* of 1,000,000,000,000 bytes",
        ),
        (record(1).replace(b"Content-Length: ", b"Content-Length: x"), "a record without its length"),
        (b"WARC/1.0\r\n" + b"X" * 100_000, "is no WARC"),
        (b"".join(map(gzip.compress, CRAWL))[:-12], "gzip data ends early"),
    ],
)
def test_a_broken_file_stops_with_its_place(read, content, words):
    with pytest.raises(InputError, match=words):
        read(content)


def test_a_cut_at_any_byte_stops_or_loses_only_whole_records(read):
    one = len(record(2, b"<p>x</p>"))
    whole = record(2, b"<p>x</p>") + record(3, b"<p>y</p>")
    outcomes = Counter()
    for cut in [*range(0, one - 4, 9), *range(one - 4, one + 9), *range(one + 9, 2 * one - 4, 9), 2 * one - 4]:
        try:
            outcomes[len(read(whole[:cut]))] += 1
        except InputError as error:
            assert "cut off or damaged, at byte" in str(error)
            outcomes["stopped"] += 1
    # Between two records, up to the four bytes that part them, nothing tells that more was to come.
    assert (outcomes[0], outcomes[1], outcomes[2]) == (1, 5, 1)
    assert outcomes["stopped"] > 60


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6))
def test_flipped_bytes_raise_nothing_but_input_errors(tmp_path_factory, changes):
    content = bytearray(b"".join(CRAWL))
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path_factory.mktemp("warc") / "x.warc"
    path.write_bytes(bytes(content))
    try:
        assert all(item.source == "x" for item in WarcSource(kind="warc", path="x").read(path, "x"))
    except InputError as error:
        assert "x" in str(error)
