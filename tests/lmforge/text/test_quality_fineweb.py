"""FineWeb's own rules: a text on either side of each threshold."""

from __future__ import annotations

import polars as pl
import pytest

from lmforge.recipe.quality import FineWeb
from lmforge.text.quality_fineweb import fineweb_reasons

LONG = [f"Line number {number} is longer than thirty characters" for number in range(100)]


def _reason(text: str, **limits: object) -> str | None:
    return fineweb_reasons(pl.Series([text]), FineWeb(**limits))[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("One line that is longer than thirty characters.", None),
        ("", "fineweb_no_lines"),
        (" \n\t\n", "fineweb_no_lines"),
        (".\n".join(LONG[:12]) + ".\n" + "\n".join(LONG[12:]), None),
        (".\n".join(LONG[:11]) + ".\n" + "\n".join(LONG[11:]), "fineweb_few_terminal_lines"),
        ("これは三十文字より長い行です。" * 3, None),
        ("\n".join(f"{line}." for line in LONG[:33]) + "\nshort." * 67, "fineweb_duplicate_line_chars"),
        ("\n".join(f"{line}." for line in LONG[:33]) + "".join(f"\ns{n}." for n in range(67)), None),
        ("\n".join(f"{line}." for line in LONG[:32]) + "".join(f"\ns{n}." for n in range(68)), "fineweb_short_lines"),
        (".\n".join(LONG[:100]) + "." + f"\n{LONG[0]}.", None),
        (".\n".join(LONG[:99]) + "." + f"\n{LONG[0]}." * 2, "fineweb_duplicate_line_chars"),
        ("\n".join(f"{'w' * 40}{n} of {'v' * 40}." for n in range(10)), None),
        ("\n".join(f"{'w' * 40}{n} of." for n in range(10)), "fineweb_line_breaks"),
    ],
)
def test_each_threshold(text: str, reason: str | None) -> None:
    assert _reason(text) == reason


def test_the_limit_of_a_short_line_is_short() -> None:
    limits = {"max_short_line_share": 0.5}
    assert _reason("x" * 29 + ".", **limits) == "fineweb_short_lines"
    assert _reason("x" * 30 + ".", **limits) is None


def test_the_limit_of_the_paper_allows_more_repeated_lines() -> None:
    text = ".\n".join(LONG[:20]) + "." + f"\n{LONG[0]}." * 2
    assert _reason(text) == "fineweb_duplicate_line_chars"
    assert _reason(text, max_duplicate_line_char_share=0.1) is None
