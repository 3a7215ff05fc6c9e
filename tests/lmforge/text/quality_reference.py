"""The quality filters one document at a time in plain Python: what the columnar ones must agree with.

Settings are passed as dictionaries, so that this runs where neither polars nor pydantic is installed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Any

SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
WORD = re.compile(f"[^{SPACE}]+")
BLANK = re.compile(f"[{SPACE}]*")
CITATION = re.compile(rf"[{SPACE}]*(?:\[\d*\]|\[edit\]|\[citation needed\])")
SENTENCE_END = re.compile(f"[.!?][\"'\u201d\u2019)\\]]*[{SPACE}]+([^{SPACE}])")
POLICY = re.compile("terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies", re.IGNORECASE)
# Sentence_Terminal of Unicode, as far as the tests go.
TERMINAL = (".", "!", "?", "\u3002", "\uff01", "\uff1f", "\u061f", "\u0964")


def reason(text: str, quality: dict[str, Any], language: str = "en") -> str | None:
    return decide(text, quality, language)[0]


def decide(text: str, quality: dict[str, Any], language: str = "en") -> tuple[str | None, str]:
    """The reason code, None to keep, and the text as C4 leaves it."""
    for name in quality["filters"]:
        if name == "c4":
            found, text = c4(text, quality["c4"])
        elif name == "gopher":
            found = gopher(text, quality["gopher"], language)
        else:
            found = {"gopher_repetition": repetition, "fineweb": fineweb}[name](text, quality[name])
        if found is not None:
            return found, text
    return None, text


def words_of(text: str) -> list[str]:
    return WORD.findall(text)


def lines_of(text: str) -> list[str]:
    return [line for line in text.split("\n") if not BLANK.fullmatch(line)]


def trimmed(text: str) -> str:
    return re.sub(f"[{SPACE}]+$", "", re.sub(f"^[{SPACE}]+", "", text))


def c4(text: str, limits: dict[str, Any]) -> tuple[str | None, str]:
    lorem = curly = False
    kept: list[str] = []
    for line in lines_of(text):
        line = trimmed(CITATION.sub("", line) if limits["remove_citations"] else line)
        if not line or len(words_of(line)) < limits["min_words_per_line"]:
            continue
        if limits["terminal_punctuation"] and (not line.endswith(tuple(limits["end_marks"])) or line.endswith("...")):
            continue
        if max(map(len, words_of(line))) > limits["max_word_chars"]:
            continue
        javascript = limits["drop_javascript_lines"] and bool(re.search("javascript", line, re.IGNORECASE))
        lorem |= limits["drop_lorem_ipsum"] and bool(re.search("lorem ipsum", line, re.IGNORECASE))
        curly |= limits["drop_curly_brackets"] and "{" in line and not javascript
        policy = limits["drop_policy_lines"] and POLICY.search(line) is not None
        if not (javascript or policy or lorem or curly):
            kept.append(line)
    sentences = sum(map(num_sentences, kept))
    if lorem or curly:
        return "c4_lorem_ipsum" if lorem else "c4_curly_bracket", ""
    if not kept:
        return "c4_no_lines", ""
    return ("c4_too_few_sentences" if sentences < limits["min_sentences"] else None), "\n".join(kept)


def num_sentences(line: str) -> int:
    # A match takes the first letter of the next sentence with it, as the columnar count does.
    return 1 + sum(unicodedata.category(match[1]) != "Ll" for match in SENTENCE_END.finditer(line))


def gopher(text: str, limits: dict[str, Any], language: str = "en") -> str | None:
    words, lines = words_of(text), lines_of(text)
    if len(words) < limits["min_words"]:
        return "gopher_too_few_words"
    if len(words) > limits["max_words"]:
        return "gopher_too_many_words"
    if not words:
        return None
    mean = sum(map(len, words)) / len(words)
    if mean < limits["min_mean_word_chars"]:
        return "gopher_short_words"
    if mean > limits["max_mean_word_chars"]:
        return "gopher_long_words"
    if text.count("#") > limits["max_hashes_per_word"] * len(words):
        return "gopher_hashes"
    if text.count("...") + text.count("\u2026") > limits["max_ellipses_per_word"] * len(words):
        return "gopher_ellipses"
    if sum(trimmed(line).startswith(("\u2022", "-")) for line in lines) > limits["max_bullet_line_share"] * len(lines):
        return "gopher_bullet_lines"
    dotted = sum(trimmed(line).endswith(("...", "\u2026")) for line in lines)
    if dotted > limits["max_ellipsis_line_share"] * len(lines):
        return "gopher_ellipsis_lines"
    alphabetic = sum(any(char.isalpha() for char in word) for word in words)
    if alphabetic < limits["min_alphabetic_word_share"] * len(words):
        return "gopher_few_alphabetic_words"
    stop_words = limits["stop_words"].get(language)
    if stop_words is not None:
        found = [word for word in stop_words if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)]
        if len(found) < limits["min_stop_words"]:
            return "gopher_few_stop_words"
    return None


def fineweb(text: str, limits: dict[str, Any]) -> str | None:
    lines, breaks = lines_of(text), text.count("\n")
    if not lines:
        return "fineweb_no_lines"
    if sum(trimmed(line).endswith(TERMINAL) for line in lines) < limits["min_terminal_line_share"] * len(lines):
        return "fineweb_few_terminal_lines"
    short = sum(len(line) <= limits["short_line_chars"] for line in lines)
    if short > limits["max_short_line_share"] * len(lines):
        return "fineweb_short_lines"
    if repeated(lines)[1] > limits["max_duplicate_line_char_share"] * (len(text) - breaks):
        return "fineweb_duplicate_line_chars"
    return "fineweb_line_breaks" if breaks > limits["max_line_breaks_per_word"] * len(words_of(text)) else None


def repetition(text: str, limits: dict[str, Any]) -> str | None:
    paragraphs = [part for part in re.split(r"\n{2,}", trimmed(text)) if not BLANK.fullmatch(part)]
    for name, pieces in (("paragraph", paragraphs), ("line", lines_of(text))):
        number, chars = repeated(pieces)
        if number > limits[f"max_duplicate_{name}_share"] * len(pieces):
            return f"gopher_duplicate_{name}s"
        if chars > limits[f"max_duplicate_{name}_char_share"] * len(text):
            return f"gopher_duplicate_{name}_chars"
    words = words_of(text)
    for size in (2, 3, 4):
        if top_chars(words, size) > limits[f"max_top_{size}_gram_char_share"] * len(text):
            return f"gopher_top_{size}_gram"
    for size in range(5, 11):
        if duplicate_chars(words, size) > limits[f"max_duplicate_{size}_gram_char_share"] * len(text):
            return f"gopher_duplicate_{size}_gram"
    return None


def repeated(pieces: list[str]) -> tuple[int, int]:
    number = chars = 0
    seen: set[str] = set()
    for piece in pieces:
        number, chars = (number + 1, chars + len(piece)) if piece in seen else (number, chars)
        seen.add(piece)
    return number, chars


def top_chars(words: list[str], size: int) -> int:
    counts = Counter(" ".join(words[start : start + size]) for start in range(len(words) - size + 1))
    gram, copies = counts.most_common(1)[0] if counts else ("", 0)
    return copies * len(gram) if copies > 1 else 0


def duplicate_chars(words: list[str], size: int) -> int:
    seen: set[str] = set()
    chars = start = 0
    while start < len(words) - size + 1:
        gram = words[start : start + size]
        if " ".join(gram) in seen:
            chars, start = chars + sum(map(len, gram)), start + size
        else:
            seen.add(" ".join(gram))
            start += 1
    return chars
