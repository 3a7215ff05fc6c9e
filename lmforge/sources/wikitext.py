"""Wiki markup to text: prose, headings and list items stay; templates, references, tables, files and categories go.

Templates are not expanded, so what only they say (infoboxes, converted units) is lost. Time is linear in the text
whatever is nested or left open; an opening without its end stays as the characters that it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Iterator

# Siteinfo of a dump names the local words; these English ones are understood by every wiki.
DROPPED_NAMESPACES = frozenset({"file", "image", "media", "category"})

# Tags whose content is no prose.
_BLOCKS = "ref|math|chem|gallery|timeline|syntaxhighlight|source|pre|score|imagemap|templatedata|graph|hiero|mapframe"
_BLOCK = re.compile(rf"<(/?)({_BLOCKS})\b([^<>]*)>", re.IGNORECASE)
_NOWIKI = re.compile(r"<(/?)nowiki\s*(/?)>", re.IGNORECASE)
# `{|` and `|}` are a table's only at the start of a line; in `{{x|}}` they are a template's.
_BRACES = re.compile(r"\{\{|\}\}|^[ \t:]*\{\||^[ \t]*\|\}(?!\})", re.MULTILINE)
_BRACKETS = re.compile(r"\[\[|\]\]")
_EXTERNAL = re.compile(r"\[(?:(?:https?:|ftp:)?//|mailto:)[^\s\[\]]{1,2000}(?:[ \t]+([^\[\]\n]*))?\]")
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,10})?")
_BREAK = re.compile(r"<br\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,1000}>")
_EMPHASIS = re.compile(r"'{2,}")
_MAGIC = re.compile(r"__[A-Z]{3,30}__")
_HEADING = re.compile(r"(={1,6})(.+?)\1")
_MARKER = re.compile(r"^[*#:;]+[ \t]*")
_BLANKS = re.compile(r"\n{3,}")
_MARKUP = str.maketrans({char: f"&#{ord(char)};" for char in "[]{}|<>'=*#:;_&"})
# An article nests links two deep, in captions; text inside of deeper ones would be copied once a level.
_MAX_LINK_DEPTH = 8


def to_text(markup: str, dropped: Collection[str] = DROPPED_NAMESPACES) -> str:
    """The text of an article, paragraphs parted by blank lines; empty where there is none.

    dropped: namespaces in lower case whose links vanish, with their captions.
    """
    text = _without_comments(markup)
    text = _keep_nowiki(text)
    text = _without_blocks(text)
    text = _without_braces(text)
    text = _links(text, dropped)
    text = _EXTERNAL.sub(lambda match: match[1] or "", text)
    text = _EMPHASIS.sub("", _MAGIC.sub("", text))
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", text)))
    lines = _sections([line.strip() for line in text.split("\n")])
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip()


def _without_comments(text: str) -> str:
    parts: list[str] = []
    end = 0
    while (start := text.find("<!--", end)) >= 0:
        parts.append(text[end:start])
        close = text.find("-->", start)
        if close < 0:
            # As MediaWiki does: an open comment reaches to the end.
            return "".join(parts)
        end = close + 3
    return "".join([*parts, text[end:]])


def _keep_nowiki(text: str) -> str:
    """What stands in nowiki, with its markup characters as entities, which are resolved last of all."""
    parts: list[str] = []
    end, inside = 0, False
    for match in _NOWIKI.finditer(text):
        if bool(match[1]) != inside or (match[2] and not inside):
            continue
        piece = text[end : match.start()]
        parts.append(piece.translate(_MARKUP) if inside else piece)
        end, inside = match.end(), not inside
    return "".join([*parts, text[end:]])


def _without_blocks(text: str) -> str:
    """Without the tags of `_BLOCK` and what they enclose; one that is never closed loses only itself, later."""
    tags = [match for match in _BLOCK.finditer(text) if not match[3].rstrip().endswith("/")]
    ends: list[int | None] = []
    next_end: dict[str, int] = {}
    for match in reversed(tags):
        name = match[2].lower()
        ends.append(None if match[1] else next_end.get(name))
        if match[1]:
            next_end[name] = match.end()
    spans = ((match.start(), end) for match, end in zip(tags, reversed(ends), strict=True) if end is not None)
    return _cut(text, spans)


def _without_braces(text: str) -> str:
    """Without `{{templates}}` and `{| tables |}`, nested or not."""
    spans: list[tuple[int, int]] = []
    waiting: list[tuple[str, int]] = []
    num_waiting = {"{{": 0, "{|": 0}
    for match in _BRACES.finditer(text):
        mark = match.group().lstrip(" \t:")
        if mark in num_waiting:
            waiting.append((mark, match.start()))
            num_waiting[mark] += 1
            continue
        opening = "{{" if mark == "}}" else "{|"
        # What was opened inside and never closed ends with what encloses it.
        while num_waiting[opening]:
            kind, start = waiting.pop()
            num_waiting[kind] -= 1
            if kind == opening:
                spans.append((start, match.end()))
                break
    return _cut(text, sorted(spans))


def _cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Without the spans, which are sorted by their start and may lie in each other."""
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if start >= done:
            parts.append(text[done:start])
            done = end
    return "".join([*parts, text[done:]])


def _links(text: str, dropped: Collection[str]) -> str:
    """Links as the words that are shown for them."""
    open_texts: list[list[str]] = [[]]
    end = 0
    for match in _BRACKETS.finditer(text):
        open_texts[-1].append(text[end : match.start()])
        end = match.end()
        if match.group() == "[[" and len(open_texts) <= _MAX_LINK_DEPTH:
            open_texts.append([])
        elif match.group() == "]]" and len(open_texts) > 1:
            link = "".join(open_texts.pop())
            open_texts[-1].append(_label(link, dropped))
    open_texts[-1].append(text[end:])
    return "".join(part for parts in open_texts for part in parts)


def _label(link: str, dropped: Collection[str]) -> str:
    """What a link shows: the words behind its bar, else its target."""
    target, bar, words = link.partition("|")
    namespace, colon, _ = target.partition(":")
    if colon and (namespace.strip().lower() in dropped or _INTERLANGUAGE.fullmatch(namespace)):
        return ""
    return words.strip() if bar else target.strip().removeprefix(":")


def _sections(lines: list[str]) -> Iterator[str]:
    """Lines without list markers; headings as plain lines, and only those with text under them."""
    headings: list[tuple[int, str]] = []
    for line in lines:
        if heading := _HEADING.fullmatch(line):
            level = len(heading[1])
            headings = [*(one for one in headings if one[0] < level), (level, heading[2].strip())]
            continue
        text = _MARKER.sub("", line)
        if text:
            yield from (part for _, title in headings for part in ("", title, ""))
            headings = []
        yield text
