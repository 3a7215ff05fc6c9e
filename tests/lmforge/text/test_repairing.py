"""Repair: what is mended, what is the author's and stays, and that the fast path for ASCII changes no result."""

from __future__ import annotations

import string

import ftfy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.text.repairing import repair

MENDED = {
    "mojibake": ("The cafÃ© was closed â€” as ever", "The café was closed — as ever"),
    "double mojibake": ("cafÃƒÂ©", "café"),
    "entity": ("Tom &amp; Jerry &eacute;t&eacute;", "Tom & Jerry été"),
    "decomposed": ("cafe\u0301", "café"),
    "control": ("a\x00b\x07c\x7fd", "abcd"),
    "terminal escape": ("\x1b[31mred\x1b[0m alert", "red alert"),
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


def test_time_is_linear_in_the_length() -> None:
    hostile = "Ã" * 50_000 + "\u200d" * 50_000 + "&" * 50_000
    assert repair(hostile).endswith("&")
