"""What counts as the same text, and where a text falls in a split; both are pure functions of their arguments.

A key is coarser than the bytes: texts that differ only in case, width, ligatures or spacing share one. xxh3 is no
cryptographic hash, and who wants to can make two texts that share a key: only de-duplication and leak checks, where
that costs its author's own text, may rest on keys.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any

import numpy as np
import polars as pl
import xxhash

_ODD_SPACE = r"[\t-\r\x1c-\x1f]"


def text_key(text: str) -> str:
    """128 bits, in hex, of the xxh3 of the text after NFKC, case folding and collapsing of white space.

    Used for exact de-duplication, decontamination and leak checks; equal for texts that only look different in print.
    Among 10^12 texts two different ones share a key by chance with probability about 10^-15 (birthday bound).
    """
    return xxhash.xxh3_128_hexdigest(_normalized(text).encode("utf-8", "surrogatepass"))


def text_keys(texts: pl.Series) -> np.ndarray[Any, Any]:
    """`text_key` of each text of a column without nulls: uint64 [n, 2], the upper 64 bits first."""
    return key_normalized(normalized_texts(texts))


def key_normalized(texts: pl.Series) -> np.ndarray[Any, Any]:
    """`text_keys` of texts that `normalized_texts` made already."""
    digest = xxhash.xxh3_128_digest
    digests = b"".join([digest(content) for content in texts.cast(pl.Binary).to_list()])
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)


def normalized_texts(texts: pl.Series) -> pl.Series:
    """What `text_key` hashes: NFKC, case folded, each run of white space one space; a null stays null."""
    wide = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    lower = texts.str.to_lowercase().str.strip_chars("\t\n\v\f\r\x1c\x1d\x1e\x1f ")
    untidy = lower.str.contains(f"{_ODD_SPACE}|  ").arg_true()
    # Single spaces are not matched: there are a hundred of them for each that needs work.
    tidied = lower.gather(untidy).str.replace_all(rf"[\t-\r\x1c-\x1f ]{{2,}}|{_ODD_SPACE}", " ")
    folded = pl.Series([_normalized(text) for text in texts.gather(wide)], dtype=pl.String)
    # Case folding and Unicode's white space are Python's, so that one text and a column never disagree.
    return lower.scatter(untidy, tidied).scatter(wide, folded)


def bucket(seed_text: str, group: str) -> float:
    """A number in [0, 1), uniform over groups, from the first 53 bits of the SHA-256 of both.

    Different `seed_text` give independent draws for the same group; a group keeps its number when others come or go.
    """
    digest = hashlib.sha256(f"{seed_text}\0{group}".encode("utf-8", "surrogatepass")).digest()
    # 53 bits are what a float holds exactly, so the result is always below 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53)


def _normalized(text: str) -> str:
    # ASCII is its own NFKC form and its case folding is lower(); folding can undo NFKC, so it stands between two.
    return " ".join((text.lower() if text.isascii() else _fold(text)).split())


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
