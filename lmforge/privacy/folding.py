"""Texts as the finders of personal data read them: with ASCII digits, hyphens and spaces, and nothing invisible.

Only the finders see the folded text; places found in it are mapped back, so that what is not masked stays as it was.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import dataclass
from functools import cache

import polars as pl

_INVISIBLE = "\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff"
_DASHES = "\u2010-\u2015\u2212\ufe58\ufe63"
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_FIRST_PLANE = "".join(map(chr, range(0x10000)))
_HIDDEN = re.compile(f"[{_INVISIBLE}]+")

# A text without a match is its own folding where it matters: beside digits, ASCII letters and signs of an address.
_ODD = (
    r"[\p{Nd}--[0-9]]|[\x{FF01}-\x{FF5E}\x{FE6B}\x{FE52}]"
    f"|[0-9][{_DASHES}{_SPACES}]"
    f"|[0-9A-Za-z@.+][{_INVISIBLE}]|[{_INVISIBLE}][0-9A-Za-z@.+]"
)


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text; `places` maps an index into it to one of the original, None where they are the same."""

    text: str
    places: list[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original that became `start` to `end`."""
        return (start, end) if self.places is None else (self.places[start], self.places[end - 1] + 1)


def fold(text: str) -> Folded:
    """Every decimal digit, fullwidth form, dash and space as its ASCII twin; invisible characters left out."""
    translated = text.translate(_twins())
    if _HIDDEN.search(translated) is None:
        return Folded(translated)
    hidden = {place for match in _HIDDEN.finditer(translated) for place in range(*match.span())}
    places = [place for place in range(len(text)) if place not in hidden]
    return Folded(_HIDDEN.sub("", translated), places)


def fold_odd(texts: pl.Series) -> pl.Series:
    """The foldings of all texts, of the same height: only those that need it pay for `fold`."""
    odd = texts.str.contains(_ODD).fill_null(False)
    if not odd.any():
        return texts
    folded = [fold(text).text for text in texts.filter(odd)]
    # `scatter` writes into the series that it is called on.
    return texts.clone().scatter(odd.arg_true(), pl.Series(folded, dtype=pl.String))


@cache
def _twins() -> dict[int, str]:
    digits = [character for character in map(chr, range(0x80, sys.maxunicode + 1)) if character.isdecimal()]
    twins = {ord(digit): str(unicodedata.digit(digit)) for digit in digits}
    twins.update({code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)})
    twins.update({0xFE6B: "@", 0xFE52: "."})
    for characters, twin in ((_DASHES, "-"), (_SPACES, " ")):
        twins.update({ord(found): twin for found in re.findall(f"[{characters}]", _FIRST_PLANE)})
    return twins
