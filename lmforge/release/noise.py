"""Texts as people mistype them and as files garble them, each a function of the seed, the example and the kind.

What is right does not change: a person reads the noisy text as the plain one. Scripts without capitals stay as they are
under `upper` and `lower`, and without words of four letters there are no typos.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable

import numpy as np

from lmforge.recipe.robustness import Noise

# Typos spare words of up to three letters and the ends of longer ones, which people read by (Pruthi et al. 2019,
# Combating Adversarial Misspellings with Robust Word Recognition).
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")
_WORD = re.compile(r"[^\W\d_]{2,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    row[at]: "".join(row[beside] for beside in (at - 1, at + 1) if 0 <= beside < len(row))
    for row in _ROWS
    for at in range(len(row))
}
# Cyrillic letters that look like Latin ones, as in text that was typed on another keyboard or is to evade a filter.
_HOMOGLYPHS = str.maketrans(
    "aceopsxyiABCEHKMOPTX",
    "\u0430\u0441\u0435\u043e\u0440\u0455\u0445\u0443\u0456\u0410\u0412\u0421\u0415\u041d\u041a\u041c\u041e\u0420\u0422\u0425",
)
_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_SOFT_HYPHEN, _NO_BREAK_SPACE, _ACUTE = "\u00ad", "\u00a0", "\u0301"
_Change = Callable[[str, np.random.Generator], str]


def add_noise(text: str, kind: Noise, *, rate: float, seed: int, example_id: str) -> str:
    """The text with one kind of noise; the same arguments give the same text, and text that is not empty stays so.

    rate: share of the words that `typos` and `unicode` change, of those that can be changed at least one. `typos`: of
    two neighbouring letters the order, a letter left out, doubled, or hit on the key beside it (Belinkov & Bisk 2018,
    Synthetic and Natural Noise Both Break Neural Machine Translation). `unicode`: letters of full width, that look
    alike, with combining marks, or with a soft hyphen between them, and no-break spaces for as large a share of the
    spaces. `upper` and `lower` change all letters, and a second time nothing.
    """
    if kind == "upper":
        return text.upper()
    if kind == "lower":
        return text.lower()
    generator = seeded(seed, example_id, kind)
    if kind == "typos":
        return _change(text, _LONG_WORD, rate, _mistyped, generator)
    spaced = _change(text, re.compile(" "), rate, lambda *_: _NO_BREAK_SPACE, generator)
    return _change(spaced, _WORD, rate, _garbled, generator)


def seeded(seed: int, example_id: str, kind: str) -> np.random.Generator:
    """A generator for one example and one kind, which does not depend on any other example."""
    key = f"{seed}\0{kind}\0{example_id}".encode("utf-8", "surrogatepass")
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key).digest()[:16], "big"))


def _change(text: str, pattern: re.Pattern[str], rate: float, change: _Change, generator: np.random.Generator) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text
    chosen = generator.choice(len(found), size=max(1, round(rate * len(found))), replace=False)
    parts, end = [], 0
    for at in sorted(chosen):
        start, stop = found[at].span()
        parts += [text[end:start], change(text[start:stop], generator)]
        end = stop
    return "".join([*parts, text[end:]])


def _mistyped(word: str, generator: np.random.Generator) -> str:
    at = int(generator.integers(1, len(word) - 1))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    ways = [before + after, before + letter + word[at:]]
    if at + 1 < len(word) - 1 and letter != word[at + 1]:
        ways.append(before + word[at + 1] + letter + word[at + 2 :])
    if beside := _NEIGHBOURS.get(letter.lower(), ""):
        key = beside[int(generator.integers(len(beside)))]
        ways.append(before + (key.upper() if letter.isupper() else key) + after)
    return ways[int(generator.integers(len(ways)))]


def _garbled(word: str, generator: np.random.Generator) -> str:
    at = int(generator.integers(1, len(word)))
    decomposed = unicodedata.normalize("NFD", word)
    ways = [
        word.translate(_FULL_WIDTH),
        word.translate(_HOMOGLYPHS),
        # Where no accent can be split off, one is set: letters with marks that no font draws are found in real text.
        decomposed if decomposed != word else word[:at] + _ACUTE + word[at:],
        word[:at] + _SOFT_HYPHEN + word[at:],
    ]
    possible = [way for way in ways if way != word]
    return possible[int(generator.integers(len(possible)))]
