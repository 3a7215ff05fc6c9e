"""What counts as the same text, and where a text falls in a split; both are pure functions of their arguments.

A key is coarser than the bytes: texts that differ only in case, width, ligatures or spacing share one.
"""

from __future__ import annotations

import hashlib
import unicodedata

# 128 bits: among 10^12 texts two different ones share a key with probability about 10^-15 (birthday bound).
_KEY_HEX_DIGITS = 32


def text_key(text: str) -> str:
    """First 128 bits, in hex, of the SHA-256 of the text after NFKC, case folding and collapsing of white space.

    Used for exact de-duplication, decontamination and leak checks; equal for texts that only look different in print.
    """
    # ASCII is its own NFKC form and its case folding is lower(); folding can undo NFKC, so it stands between two.
    folded = text.lower() if text.isascii() else _fold(text)
    return hashlib.sha256(" ".join(folded.split()).encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_HEX_DIGITS]


def bucket(seed_text: str, group: str) -> float:
    """A number in [0, 1), uniform over groups, from the first 53 bits of the SHA-256 of both.

    Different `seed_text` give independent draws for the same group; a group keeps its number when others come or go.
    """
    digest = hashlib.sha256(f"{seed_text}\0{group}".encode("utf-8", "surrogatepass")).digest()
    # 53 bits are what a float holds exactly, so the result is always below 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
