"""Markup: what a reader of HTML sees comes out, everything that is not HTML comes out untouched."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.text.markup import html_to_text

FRAGMENTS = {
    "review": ("I loved it.<br /><br />The <b>best</b> film &amp; book.", "I loved it.\n\nThe best film & book."),
    "paragraphs": ("<p>One</p><p>Two <i>words</i></p>", "One\n\nTwo words"),
    "unclosed paragraphs": ("<p>One<p>Two", "One\n\nTwo"),
    "list": ("<ul><li>a<li>b</ul>", "  a\n  b"),
    "table": ("<table><tr><td>1</td><td>2</td></tr></table>", "1\t\t2"),
    "link": ("see <a href='http://x.y?a>b'>here</a>, please", "see here, please"),
    "capitals": ("<P CLASS=A>Up</P>", "Up"),
    "script": ("x<script>alert('<p>')</script>y", "xy"),
    "cut off in a script": ("<html><body><p>text</p><script>var a = 1; if (a < 2", "text"),
    "style": ("x<style type='text/css'>p {}</style>y", "xy"),
    "comment": ("x<!-- <b>c</b> -->y<br>", "xy"),
    "drawing": ("x<svg><text>drawn</text></svg>y<br>", "xy"),
    "lines of the author": ("<b>Features:</b>\n- one\n- two<br>", "Features:\n- one\n- two"),
    "entity of a bracket": ("a &lt;b&gt; c<br>", "a <b> c"),
    "code in HTML": (
        "<p>use <foo@bar> if a < b && c > d in vector<int> of <stdio.h></p>",
        "use <foo@bar> if a < b && c > d in vector<int> of <stdio.h>",
    ),
    "doctype": ("<!DOCTYPE html><html><head><title>T</title></head><body>text</body></html>", "text"),
}


@pytest.mark.parametrize(("html", "text"), FRAGMENTS.values(), ids=FRAGMENTS)
def test_what_is_shown_comes_out(html: str, text: str) -> None:
    assert html_to_text(pl.Series([html])).to_list() == [text]


@pytest.mark.parametrize(
    "text",
    [
        "if a < b and c > d: pass",
        "write to <foo@bar.com> or <https://example.org>",
        "std::vector<int> v; map<string, a> m; List<p> x; template <class T>",
        "#include <stdio.h>",
        "usage: tool [-p <pid>] <file> <a> <b>",
        "I <3 this <- and -> that <!",
        "the element <b> and </b> make text bold. " + "Everybody knows who has ever written a page by hand. " * 9,
        "include it in a <script> tag of the page",
        "<config><port>80</port></config>",
        "a  b\n\n\tc",
        "&lt;p&gt; &amp;",
        "",
    ],
)
def test_what_is_not_html_is_untouched(text: str) -> None:
    assert html_to_text(pl.Series([text])).to_list() == [text]


@given(st.lists(st.text(alphabet="<>ab/!-=\"' \n&;:pi", max_size=30).filter(lambda text: ">" not in text), max_size=5))
def test_text_without_a_whole_tag_is_untouched(texts: list[str]) -> None:
    assert html_to_text(pl.Series(texts, dtype=pl.String)).to_list() == texts


NAMES = st.sampled_from(["stdio.h", "int", "T", "foo@bar.org", "pid", "std::string", "3", "=", "- ", "your-name"])


@given(st.lists(NAMES.map(lambda name: f"word <{name}> x < y "), max_size=8).map("".join))
def test_brackets_of_other_kinds_are_untouched_and_survive_in_html(text: str) -> None:
    assert html_to_text(pl.Series([text])).to_list() == [text]
    inside = html_to_text(pl.Series([f"<div>{text}</div>"]))[0]
    assert inside == text.strip()


PARTS = st.sampled_from(
    [
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<style>",
        "</style>",
        "<p>",
        "</p>",
        "SECRET",
        "<b",
        ">",
        "'",
        '"',
        "=",
        "\x01",
    ]
)


@given(st.lists(PARTS, max_size=12).map("".join))
def test_scripts_styles_and_comments_never_survive(noise: str) -> None:
    # Whatever stands before it cannot open what hides the end of a comment or of a script.
    html = f"<html><script>one SCRIPT</script><style>a STYLE</style><!-- a COMMENT --><p>{noise}</p></html>"
    text = html_to_text(pl.Series([html]))[0]
    assert not [word for word in ("SCRIPT", "STYLE", "COMMENT") if word in text]


def test_of_a_page_the_main_content_is_taken() -> None:
    story = "The committee published its report on the state of the roads, which took three years to write. " * 8
    menu = "".join(f"<li><a href='/{number}'>Section {number}</a></li>" for number in range(20))
    html = (
        f"<!DOCTYPE html><html><head><title>News</title></head><body><nav class='menu'><ul>{menu}</ul></nav>"
        f"<main><article><h1>Roads</h1><p>{story}</p></article></main>"
        "<footer class='footer'>Imprint</footer></body></html>"
    )
    text = html_to_text(pl.Series([html]))[0]
    assert story.strip() in text and "Roads" in text
    assert "Section" not in text and "Imprint" not in text


def test_only_rows_with_html_change_and_nulls_stay() -> None:
    texts = pl.Series("text", ["a < b", "<p>x</p>", None, "plain", "y<br>z"])
    assert html_to_text(texts).to_list() == ["a < b", "x", None, "plain", "y\nz"]
    assert texts[1] == "<p>x</p>"


HOSTILE = {
    "brackets": "<p>" + "<" * 100_000,
    "parentheses": "<p>" + "(" * 100_000,
    "nested": "<html>" + "<div>" * 50_000 + "x",
    "nested past closing tags": "<html>" + "<div><table><td></div></table>" * 5_000 + "x",
    "formatting": "<html>" + "<p><b>" * 8_000,
    "formatting that differs": "<p>" + "".join(f"<b id={n}>" for n in range(3000)) + "</p>" + "<p>x</p>" * 3000,
    "attributes": "<html><p " + " ".join(f"a{n}=b" for n in range(50_000)) + ">x</p>",
    "attributes that hide ends": "<html><p " + " ".join(f'a{n}=">"' for n in range(50_000)) + ">x</p>",
    "open quotes": "<a =" + '"<a "=' * 30_000 + "<br>",
    "scripts": "<script>" * 50_000,
    "comments": "<p>x</p>" + "<!--" * 50_000,
    "our own marks": "\x01p\x02" * 50_000 + "<br>",
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_time_is_linear_in_the_length(html: str) -> None:
    started = time.process_time()
    html_to_text(pl.Series([html]))
    # Quadratic work on so many tags takes minutes.
    assert time.process_time() - started < 5
