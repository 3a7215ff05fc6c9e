"""Repair: what is mended, what is the author's and stays, and that the fast path for ASCII changes no result."""

from __future__ import annotations

import string
import time

import ftfy
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.text.repairing import repair, repair_kinds, repair_texts

MENDED = {
    "mojibake": ("The cafÃ© was closed â€” as ever", "The café was closed — as ever"),
    "double mojibake": ("cafÃƒÂ©", "café"),
    "entity": ("Tom &amp; Jerry &eacute;t&eacute;", "Tom & Jerry été"),
    "decomposed": ("cafe\u0301", "café"),
    "control": ("a\x00b\x07c\x7fd", "abcd"),
    "terminal escape": ("\x1b[31mred\x1b[0m alert", "red alert"),
    "colours and cursor": ("\x1b[1;31mred\x1b[0m\x1b[?25l \x1b[2Kalert", "red alert"),
    "window title": ("\x1b]0;root@host\x07$ ls\x1b]8;;http://x.y\x1b\\", "$ ls"),
    "character set": ("\x1b(B\x1b[mtext\x1b=", "text"),
    "escape alone": ("a\x1bb", "ab"),
    "overstruck bold": ("N\bNA\bAM\bM\bME\bE", "NAME"),
    "underlined": ("_\bf_\bi_\bl_\be", "file"),
    "backspace alone": ("$\beta$", "$eta$"),
    "entity twice": ("caf&amp;eacute; &amp;lt;b&amp;gt;", "café <b>"),
    "entity as mojibake": ("caf&Atilde;&copy;", "café"),
    "entity before tags": ("a &amp; b\nif x < &amp;", "a & b\nif x < &amp;"),
    "stacked accents": ("Z\u030d\u0310\u0314\u0357\u0352\u035b!", "Z\u030d\u0310\u0314\u0357!"),
    "stacked Thai": ("\u0e01" + "\u0e47" * 20, "\u0e01" + "\u0e47" * 4),
    "override": ("invoice\u202efdp.exe", "invoicefdp.exe"),
    "zero width": ("pass\u200bword\ufeff soft\u00adhyphen", "password softhyphen"),
    "joiner in ASCII": ("pass\u200d\u200cword", "password"),
    "hidden tags": ("hi\U000e0068\U000e0069 there", "hi there"),
    "variation selector": ("a\ufe01b\U000e0101", "ab"),
    "ligature": ("ﬁle ofﬁce", "file office"),
    "spaces": ("  a\t b \u00a0 c  ", "a b c"),
    "paragraphs": ("one\r\n\r\n\r\ntwo \n three\rfour\n", "one\ntwo\nthree\nfour"),
    "surrogate pair": ("\ud83d\ude00", "😀"),
    "blank": (" \t\n\u3000", ""),
}


@pytest.mark.parametrize(("broken", "mended"), MENDED.values(), ids=MENDED)
def test_is_mended(broken: str, mended: str) -> None:
    assert repair(broken) == mended


@pytest.mark.parametrize(
    "text",
    [
        "plain text.\nsecond paragraph",
        "a family 👨‍👩‍👧‍👦 and a flag 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ❤️ 👍🏽",
        "👩🏾‍🚀 🏳️‍🌈 🇩🇪🇯🇵 1️⃣ 🧑🏻‍🤝‍🧑🏿",
        "\u1fa7 ệ ǖ ʰ̥̬ᵊ̃",  # Greek with three marks, Vietnamese, phonetic transcription
        "שָּׁ֑לוֹם",  # a letter with five points
        "प्रार्थना ที่นี่ مُحَمَّدٌ",
        "می‌خواهم",  # a Persian word with a zero-width non-joiner
        "“curly” ‘quotes’ — kept…",
        "全角，标点！ＡＢＣ",
        "<b>AT&amp;T</b>",
        "x² + 10³ µm",
        "नमस्ते दुनिया, Привет мир, こんにちは",
    ],
)
def test_is_kept(text: str) -> None:
    assert repair(text) == text


def _reference(text: str) -> str:
    fixed = ftfy.fix_text(text, uncurl_quotes=False, fix_character_width=False)
    lines = [" ".join(line.split()) for line in fixed.splitlines()]
    return "\n".join(line for line in lines if line)


@given(st.text(alphabet=string.ascii_letters + string.punctuation + " \t\n\r\f"))
def test_printable_ascii_comes_out_as_if_ftfy_had_read_it(text: str) -> None:
    assert repair(text) == _reference(text)


@given(st.text())
def test_any_text_ends_without_controls_and_with_single_breaks(text: str) -> None:
    mended = repair(text)
    mended.encode("utf-8")
    assert not [char for char in mended if char != "\n" and (ord(char) < 32 or 0x7F <= ord(char) < 0xA0)]
    assert mended == mended.strip()
    assert "\n\n" not in mended and "  " not in mended


@given(st.text())
def test_repairing_twice_changes_nothing_more_than_once(text: str) -> None:
    assert repair(repair(text)) == repair(text)


HOSTILE = {
    "mojibake": "Ã" * 100_000,
    "joiners": "\u200d" * 100_000,
    "ampersands": "&" * 100_000,
    "entity in entity": "&" + "amp;" * 100_000,
    "entity of digits of entities": "&#5" * 50_000 + "6" + ";" * 50_000,
    "accents": "e" + "\u0301\u0327" * 100_000,
    "points in reverse order": "\u05d0" + "\u05bc\u05b0" * 100_000,
    "escapes": "\x1b[" * 100_000,
    "strings of a terminal": "\x1b]" * 100_000,
    "backspaces": "a\b" * 100_000,
    "brackets": "(" * 100_000 + "<" * 100_000,
    "spaces": " \n" * 100_000 + "x",
    "sequences of mojibake": "â€™" * 50_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_time_is_linear_in_the_length(text: str) -> None:
    started = time.process_time()
    alone, column = repair(text), repair_texts(pl.Series([text]))
    # Quadratic work on so many characters takes minutes.
    assert time.process_time() - started < 5
    assert column.to_list() == [alone]


# What repair looks at, in all combinations; a column cannot hold lone surrogates.
FRAGMENTS = [
    *"aZ .,&;#<\n\r\t\f\v\x00\x08\x1b\x1c\x7f\x85\xa0\xad\u3000\u2028\u200b\u200c\u200d\ufe0f\ufe01",
    *"éÃÂâ€™“œ²°ñàØÙБВГС×√豆\u0301\u0327\u0e47\u05b0\u064b한ㅏ\u1161\u11a8ﬁǆΩ\u2126\u212b👨🏴\U000e0067\u202e\ufffc",
    *("&amp;", "&eacute;", "&#x1b;", "Ã©", "â€™", "\x1b[0m", "a\ba", "\u0301" * 6, " \n ", "вЂ", "ГўВЂВ"),
]


@given(st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join), max_size=8))
def test_a_column_is_repaired_like_each_of_its_texts(texts: list[str]) -> None:
    assert repair_texts(pl.Series(texts, dtype=pl.String)).to_list() == [repair(text) for text in texts]


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), max_size=5))
def test_a_column_of_any_text_is_repaired_like_each_of_its_texts(texts: list[str]) -> None:
    assert repair_texts(pl.Series(texts, dtype=pl.String)).to_list() == [repair(text) for text in texts]


def test_a_column_is_repaired_like_each_of_its_texts_whatever_the_character() -> None:
    # Every second character of the planes that have letters, in a place where neighbours could matter.
    codes = [code for code in range(0, 0x3100, 2) if not 0xD800 <= code < 0xE000] + [*range(0xA000, 0x1F700, 101)]
    texts = [f"a{chr(code)}b é{chr(code)}é {chr(code)}" for code in codes if not 0xD800 <= code < 0xE000]
    assert repair_texts(pl.Series(texts)).to_list() == [repair(text) for text in texts]


def test_the_column_keeps_nulls_and_may_be_empty() -> None:
    assert repair_texts(pl.Series(["a\x00", None, ""])).to_list() == ["a", None, ""]
    assert repair_texts(pl.Series([], dtype=pl.String)).to_list() == []


def test_a_repaired_column_leaves_the_given_one_alone() -> None:
    texts = pl.Series(["a  b", "Ã©"])
    repair_texts(texts)
    assert texts.to_list() == ["a  b", "Ã©"]


KINDS = {
    "mojibake": "cafÃ©",
    "control": "a\x00b",
    "invisible": "pass\u200bword",
    "bidi": "a\u202eb",
    "entities": "a &amp; b",
    "combining": "e" + "\u0317" * 9,
    "whitespace": "a  b",
    "form": "cafe\u0301",
}


@pytest.mark.parametrize(("kind", "text"), KINDS.items(), ids=KINDS)
def test_what_was_repaired_is_counted_by_kind(kind: str, text: str) -> None:
    before = pl.Series([text, "clean text", "é “kept” 👨‍👩‍👧"])
    counts = repair_kinds(before, repair_texts(before))
    assert counts == {name: int(name == kind) for name in counts}
    assert set(counts) == set(KINDS)


def test_what_stayed_is_not_counted() -> None:
    before = pl.Series(["می‌خواهم  &", "<b> &amp; &eacute;  x"])
    counts = repair_kinds(before, repair_texts(before))
    assert {kind for kind, count in counts.items() if count} == {"whitespace"}
