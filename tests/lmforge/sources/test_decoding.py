"""Decoding: undecodable lines say where, what the file looks like and what to set; NUL bytes as the option says."""

from __future__ import annotations

import pytest

from lmforge.errors import InputError
from lmforge.sources.decoding import Decoded, Decoder
from lmforge.sources.lines import Line
from lmforge.text.records import Rejected


def _line(content: bytes, decoder: Decoder | None = None) -> Decoded | Rejected:
    return (decoder or Decoder("a.txt")).line(Line(3, 100, content, True))


def test_a_good_line_is_its_text() -> None:
    assert _line("grün".encode()) == Decoded("grün")
    assert _line(b"caf\xe9", Decoder("a.txt", "cp1252")) == Decoded("café")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Grüße aus München, schön", "cp1252"),
        ("a “quoted” word – here", "cp1252"),
        ("Привет мир, это текст", "cp1251"),
        ("日本語のテキストです。これは文章です", "shift_jis"),
    ],
)
def test_an_undecodable_line_says_what_the_file_looks_like(text: str, encoding: str) -> None:
    rejected = _line(text.encode(encoding))
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.line) == ("invalid_utf8", 3)
    assert rejected.detail.endswith(f"the file looks like {encoding}: set `encoding: {encoding}`")
    assert rejected.offset == 100 + len(text.encode(encoding)[: text.index(next(c for c in text if ord(c) > 127))])


def test_the_encoding_is_guessed_once_a_file() -> None:
    decoder = Decoder("a.txt")
    first, second = (_line(text.encode("cp1251"), decoder) for text in ("Привет мир, это текст", "ж"))
    assert "cp1251" in first.detail and "cp1251" in second.detail  # type: ignore[union-attr]


def test_another_encoding_that_fails_has_a_reason_of_its_own() -> None:
    rejected = _line(b"\x81", Decoder("a.txt", "cp1252"))
    assert isinstance(rejected, Rejected) and rejected.reason == "invalid_encoding"


def test_nul_bytes_are_refused_or_stripped() -> None:
    rejected = _line(b"a\0b")
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.detail) == ("nul_byte", "set `nul_bytes: strip` to remove them")
    assert _line(b"a\0b\0", Decoder("a.txt", nul_bytes="strip")) == Decoded("ab", "nul_byte")
    assert Decoder("a").stripped("a\0") is None
    assert Decoder("a", nul_bytes="strip").stripped("a\0") == Decoded("a", "nul_byte")


def test_a_cut_line_keeps_the_hash_of_all_of_it() -> None:
    rejected = Decoder("a.txt").line(Line(1, 0, b"xxx", True, "abc"))
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.sha256, rejected.excerpt) == ("line_too_long", "abc", "xxx")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le"])
def test_an_encoding_without_bytes_for_lines_is_refused(encoding: str) -> None:
    with pytest.raises(InputError, match="iconv"):
        Decoder("a.txt", encoding)


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "", "a\0b"])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(InputError, match="unknown; write for example"):
        Decoder("a.txt", encoding)
