"""Markup taken out of texts: HTML becomes what a reader sees of it.

A text counts as HTML by elements that only HTML has: a closing tag, a line break, an attribute. Anything else in angle
brackets, such as `a < b`, `<stdio.h>`, `vector<int>` or a mail address, is the author's and stays, in HTML too.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import DOMContext, HTMLTree, traverse_dom

# Elements of the HTML Living Standard, section 4, and the obsolete ones of section 16.2 that pages still have.
_FORMATTING = "a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u"
_EMPTY = "area|base|br|col|embed|frame|hr|img|input|link|meta|param|source|track|wbr"
_OTHERS = (
    "abbr|acronym|address|applet|article|aside|audio|bdi|bdo|blink|blockquote|body|button|canvas|caption|center|cite"
    "|colgroup|data|datalist|dd|del|details|dfn|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frameset"
    "|h[1-6]|head|header|hgroup|html|ins|kbd|label|legend|li|main|map|mark|marquee|menu|meter|nav|object|ol|optgroup"
    "|option|output|p|picture|pre|progress|q|rp|rt|ruby|samp|search|section|select|slot|span|sub|summary|sup|table"
    "|tbody|td|textarea|tfoot|th|thead|time|title|tr|ul|var|video"
    "|math|mi|mn|mo|mrow|msqrt|mfrac|msub|msup|mtable|mtd|mtext|mtr"
)
_UNSEEN = "script|style|svg|template|noscript|iframe|noembed|noframes"
_KNOWN = f"{_EMPTY}|{_FORMATTING}|{_OTHERS}|{_UNSEEN}"

_BLOCKS = "p|div|h[1-6]|ul|ol|li|table|tr|td|section|article|blockquote|center|pre"
# Nobody who writes about HTML in prose breaks lines or closes blocks with it.
_SURELY_HTML = (
    rf"(?i)^\s*<(?:html|body|script|style|!--|{_BLOCKS})(?:\s[^<>]*)?>|<!doctype html|<(?:br|hr)\s*/?>"
    rf"|</(?:{_BLOCKS}|span|script|style|html)\s*>|(?s:<!--.*?-->)"
)
_PERHAPS_HTML = (
    rf"(?i)</(?:{_KNOWN})\s*>|<(?:{_KNOWN})\s+[a-z-]+\s*=\s*[\"']"
    r"|<(?:a|img|font)\s+(?:href|src|color|face|size|name)\s*="
)
# Of 34,169 package descriptions 16 mention tags; at one tag in so many characters 6 of them are taken for HTML.
_MAX_CHARS_PER_TAG = 200
_PAGE = r"(?i)<(?:html|body)(?:\s[^<>]*)?>|<!doctype html"
# A start or end tag; a quoted value may hold angle brackets. Rust's matcher is linear where Python's is not.
_TAG = rf"""(?i)<(/?)({_KNOWN})((?:\s|/)(?:=\s*"[^"]*"|=\s*'[^']*'|[^<>])*)?>"""
_DECLARATION = r"(?i:<!doctype[^<>]*>|<\?xml[^<>]*>)"
# Control characters that stand for the parts of a tag while all other angle brackets are escaped.
_MARKED = re.compile(r"\x01([^\x01-\x03]*)\x02([^\x01-\x03]*)\x03")

# What extraction of the main content looks at (class names of menus, hidden parts).
_ATTRIBUTE = re.compile(r"""(?i)\s(class|id|role|style)\s*=\s*(?:"([^"]{0,200})|'([^']{0,200})|([^\s"'>]{1,200}))""")
_CONTAINERS = re.compile("article|aside|div|dl|footer|form|header|li|main|nav|ol|p|section|span|table|ul")
# Browsers stop at this depth too; looking for the main content below it takes quadratic time.
_MAX_DEPTH = 512
# Less than this share of a page's text is no main content but a mistake about where it is.
_MIN_MAIN_SHARE = 0.1
_EXTRACTION: Any = {"list_bullets": False, "alt_texts": False, "skip_elements": _UNSEEN.split("|")}
_MAX_PASSES = 8


def html_to_text(texts: pl.Series) -> pl.Series:
    """Each text of a column with HTML as the text that it shows; others, and nulls, come back as they are.

    Of a whole page the main content, of a fragment all of it, with the line breaks of its blocks. Scripts, styles and
    comments never survive. Extraction is resiliparse's, as in DataComp-LM (arXiv:2406.11794, section 4.2), where it
    gave models as good as those of trafilatura's text at an eighth of its cost.
    """
    rows = _html_rows(texts)
    sources = texts.gather(rows)
    pages = sources.str.contains(_PAGE)
    marked = (
        sources.str.replace_all(f"[\x00-\x03]|{_DECLARATION}", "")
        .str.replace_all(_TAG, "\x01${1}${2}\x02${3}\x03")
        .str.replace_all("<!--", "\x00", literal=True)
        .str.replace_all("<", "&lt;", literal=True)
        .str.replace_all("\x00", "<!--", literal=True)
    )
    # A line break means nothing in HTML, but fragments come from authors who mix tags with lines and lists.
    lined = _where(pages, marked, marked.str.replace_all("\n", "<br>", literal=True))
    extracted = [_extract(source, page) for source, page in zip(lined, pages, strict=True)]
    return texts.clone().scatter(rows, pl.Series(extracted, dtype=pl.String))


def page_text(page: str) -> str:
    """The text of one HTML page or fragment, as `html_to_text` gives it."""
    text: str = html_to_text(pl.Series([page]))[0]
    return text


def _html_rows(texts: pl.Series) -> pl.Series:
    """Indices of the texts that are HTML, rather than prose or code that has something in angle brackets."""
    bracketed = texts.str.contains("<", literal=True).arg_true()
    some = texts.gather(bracketed)
    dense = some.str.count_matches(_TAG) * _MAX_CHARS_PER_TAG >= some.str.len_chars()
    return bracketed.filter(some.str.contains(_SURELY_HTML) | (some.str.contains(_PERHAPS_HTML) & dense))


def _where(condition: pl.Series, then: pl.Series, otherwise: pl.Series) -> pl.Series:
    return pl.select(pl.when(condition).then(then).otherwise(otherwise)).to_series()


def _extract(marked: str, page: bool) -> str:
    """The visible text of a document whose tags are marked; the parser never sees a tag that we did not write."""
    html, num_tags = _MARKED.subn(_written, marked)
    tree = HTMLTree.parse(html)
    text: str = extract_plain_text(tree, **_EXTRACTION)
    if page and (num_tags <= _MAX_DEPTH or _depth(tree) <= _MAX_DEPTH):
        main: str = extract_plain_text(tree, main_content=True, **_EXTRACTION)
        return main if len(main) >= _MIN_MAIN_SHARE * len(text) else text
    return text


def _written(tag: re.Match[str]) -> str:
    name = tag[1].lower()
    # Attributes on others have no use, and thousands of bold elements that differ would be copied into each paragraph.
    return f"<{name}{_attributes(tag[2]) if _CONTAINERS.fullmatch(name) else ''}>"


def _attributes(source: str) -> str:
    found = {name.lower(): "".join(values) for name, *values in _ATTRIBUTE.findall(source)}
    return "".join(f' {name}="{value.replace(chr(34), "")}"' for name, value in found.items())


def _depth(tree: HTMLTree) -> int:
    """How deep the elements of the body are nested."""
    deepest = 0

    def look(context: DOMContext) -> None:
        nonlocal deepest
        deepest = max(deepest, context.depth)

    if tree.body is not None:
        traverse_dom(tree.body, look, elements_only=True)
    return deepest
