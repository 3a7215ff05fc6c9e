"""Wiki markup becomes prose, and nothing that is nested or left open costs more than linear time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.sources.wikitext import to_text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("'''Bold''' and ''italic''", "Bold and italic"),
        ("a [[Link]] and [[Target|its words]]s", "a Link and its wordss"),
        ("a [[:Category:Things]] [[:de:Ding]]", "a Category:Things de:Ding"),
        ("[[Category:Things]][[de:Ding]][[Image:x.png]]x", "x"),
        ("[[File:x.jpg|thumb|a [[caption|words]] here]]after", "after"),
        ("one{{cite|a={{b|[[c]]}}}} two", "one two"),
        ("{{x|}}kept|}}", "kept|}}"),
        ("before\n{| class=x\n! {{h}}\n|-\n| cell\n{|\n| inner\n|}\n|}\nafter", "before\n\nafter"),
        ("fact<ref name=a>source {{x}}</ref> more<ref name='a' />.", "fact more."),
        ("x<!-- hidden [[y]] -->z<!-- open", "xz"),
        ("<nowiki>[[no]] '''link'''</nowiki>", "[[no]] '''link'''"),
        ("a<math>x < y</math>b<gallery>\nx.jpg|y\n</gallery>c", "abc"),
        ("[http://x.org words] [http://x.org] http://x.org", "words  http://x.org"),
        ("a&nbsp;b &amp; &lt;c&gt;", "a\u00a0b & <c>"),
        ("one<br/>two <span class='x'>three</span>", "one\ntwo three"),
        ("* item\n# number\n: indented", "item\nnumber\nindented"),
        ("== Life ==\ntext", "Life\n\ntext"),
        ("== A ==\n=== B ===\ntext\n== Empty ==\n=== Also ===\n", "A\n\nB\n\ntext"),
        ("__NOTOC__\ntext", "text"),
        ("{{only|a template}}", ""),
    ],
)
def test_markup_becomes_text(markup, text):
    assert to_text(markup) == text


def test_namespaces_of_the_wiki_are_dropped():
    assert to_text("a [[Datei:x.jpg|Bild]] b", {"datei"}) == "a  b"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("{{never closed, text", "{{never closed, text"),
        ("closed}} before it was opened", "closed}} before it was opened"),
        ("[[never closed", "never closed"),
        ("<ref>never closed", "never closed"),
        ("{{ {| }} after", "after"),
    ],
)
def test_what_is_left_open_loses_no_text(markup, text):
    assert to_text(markup) == text


@given(
    st.lists(st.sampled_from(["{{", "}}", "{|", "\n{|", "\n|}", "[[", "]]", "|", "<ref>", "</ref>", "a ", "=", "<"]))
)
def test_any_nesting_ends_in_text_without_comments_or_headings(pieces):
    text = to_text("".join(pieces))
    assert text == text.strip()
    assert "<ref>" not in text


@pytest.mark.parametrize(
    "piece", ["{{", "[[", "[[a|", "<ref>", "</ref>", "\n{|", "<!--", "'", "= x =\n", "[http://a ", "<a"]
)
def test_unbalanced_markup_takes_no_quadratic_time(piece):
    started = time.process_time()
    to_text(piece * 80_000)
    # A second here; what is quadratic would take minutes.
    assert time.process_time() - started < 30
