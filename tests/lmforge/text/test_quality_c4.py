"""C4's rules: which lines go, and which pages go for what is left."""

from __future__ import annotations

import polars as pl
import pytest

from lmforge.recipe.quality import C4
from lmforge.text.quality_c4 import c4_lines, filter_c4

GOOD = "This is a sentence here. And this is another. It ends with this one."


def _lines(text: str, **limits: object) -> str:
    return c4_lines(pl.Series([text]), C4(**limits))[0]


def _reason(text: str, **limits: object) -> str | None:
    return filter_c4(pl.Series([text]), C4(**limits))[1][0]


@pytest.mark.parametrize(
    "line",
    [
        "A line of five words without an end",
        "A line of five words trails off...",
        "Only four words here.",
        "You have to enable JavaScript for this page.",
        "By reading on you agree to our Terms of Use.",
        "This site uses cookies to know you better.",
        f"A line of five words and {'x' * 1001}.",
    ],
)
def test_lines_that_go(line: str) -> None:
    assert _lines(f"{GOOD}\n{line}\n{GOOD}") == f"{GOOD}\n{GOOD}"
    assert _reason(line) == "c4_no_lines"


@pytest.mark.parametrize("end", [".", "!", "?", '"', "\u201d"])
def test_lines_that_stay(end: str) -> None:
    line = f"A line of {'x' * 999} and others{end}"
    assert _lines(f"  {line} \n\n") == line


def test_rules_on_lines_can_be_turned_off() -> None:
    text = "no end\nJavaScript is on.\nWe use cookies.\nSee [1] there."
    off = {"drop_javascript_lines": False, "drop_policy_lines": False, "remove_citations": False}
    assert _lines(text, min_words_per_line=0, terminal_punctuation=False, **off) == text
    assert _lines("Kurze Zeile。", min_words_per_line=1, end_marks=("。",)) == "Kurze Zeile。"


def test_citations_go_with_the_space_before_them() -> None:
    text = "The town [12] lies on a river [citation needed]. It is old[edit]. It was found in 1200. [3]"
    assert _lines(text) == "The town lies on a river. It is old. It was found in 1200."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD, None),
        (f"{GOOD}\nHere Lorem Ipsum dolor sit amet.", "c4_lorem_ipsum"),
        (f"{GOOD}\nlorem ipsum", None),
        (f"{GOOD}\nA function is written f() {{}}.", "c4_curly_bracket"),
        (f"{GOOD}\nif (x) {{\n}}", None),
        (f"{GOOD}\nA javascript function is written f() {{}}.", None),
        ("", "c4_no_lines"),
        ("This is a sentence here. And another one.", "c4_too_few_sentences"),
        ("Version 1.2 of a.out is i.e. one sentence.", "c4_too_few_sentences"),
        ('He said "It is so!" Then he went. (She did not.) Done.', None),
    ],
)
def test_pages(text: str, reason: str | None) -> None:
    assert _reason(text) == reason


def test_rules_on_pages_can_be_turned_off() -> None:
    text = f"{GOOD}\nHere Lorem Ipsum dolor sit {{amet}}."
    assert _reason(text, drop_lorem_ipsum=False) == "c4_curly_bracket"
    assert _reason(text, drop_lorem_ipsum=False, drop_curly_brackets=False) is None


def test_texts_without_lines_keep_their_places() -> None:
    texts = pl.Series("text", ["", GOOD, "\n \n", GOOD])
    assert c4_lines(texts, C4()).to_list() == ["", GOOD, "", GOOD]
    assert filter_c4(texts, C4())[1].to_list() == ["c4_no_lines", None, "c4_no_lines", None]
