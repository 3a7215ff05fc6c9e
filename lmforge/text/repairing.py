"""Repair of one text: mojibake, controls, invisible characters and white space; never its wording.

Each line break, single or repeated, becomes one `\\n` and every other run of white space one space. Curly quotes,
fullwidth forms and joiners inside words or emoji are kept: they are the author's.
"""

from __future__ import annotations

import re

import ftfy

# Fullwidth forms stay because Chinese and Japanese punctuation is fullwidth.
_CONFIG = ftfy.TextFixerConfig(uncurl_quotes=False, fix_character_width=False, normalization="NFC", explain=False)

# Text without a match is a fixed point of ftfy: it only touches non-ASCII, control characters, escapes and entities.
_SUSPECT = re.compile(r"[^\t\n\f\r -%'-~]")

# What one pass removes can bring together what the next one mends, such as a letter and its accent.
_MAX_PASSES = 8

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls that are not white space
    "\u00ad\u180e\u200b\u2060-\u2064\ufeff"  # soft hyphen, zero-width space, word joiner, byte order mark
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, embeddings, overrides and isolates of direction
    "\ufe00-\ufe0d\U000e0100-\U000e01ef"  # variation selectors, except the two that choose text or emoji style
    "]"
    # Joiners shape Indic and Persian words and emoji families, but mean nothing beside ASCII or at an end.
    "|(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])"
    # Tag characters spell the flag of a region after a black flag and hide text anywhere else.
    "|(?<![\U0001f3f4\U000e0000-\U000e007f])[\U000e0000-\U000e007f]+"
)


def repair(text: str) -> str:
    """The text as its author meant it; equal to the input when nothing was wrong with it. Linear in its length."""
    if _SUSPECT.search(text) is None:
        return _collapse(text)
    for _ in range(_MAX_PASSES):
        before = text
        text = _collapse(_INVISIBLE.sub("", ftfy.fix_text(text, _CONFIG)))
        if text == before:
            break
    return text


def _collapse(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
