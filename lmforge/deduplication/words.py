"""Texts as flat arrays of word hashes, and runs of words as hashes of their own.

A hash is a function of the words alone: not of the process, the number of threads, the version of a library, or of
where a text stands in a table, so it may be stored. Texts are expected as `lmforge.text.normalizing` leaves them;
nothing is folded here. Chinese characters and kana are words one by one, since no space parts them; other scripts
without spaces (Thai, Lao, Khmer, Burmese) are cut only at the spaces that they have.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import xxhash

Hashes: TypeAlias = npt.NDArray[np.uint64]
_Offsets: TypeAlias = npt.NDArray[np.int64]
_Bytes: TypeAlias = npt.NDArray[np.uint8]
_Mask: TypeAlias = npt.NDArray[np.bool_]

# The temporaries of a block then stay in the second-level cache of a core.
_BLOCK_BYTES, _BLOCK_TEXTS = 1 << 18, 1_000
# Half of the bytes of a block may be words.
_TABLE_SIZE = _BLOCK_BYTES // 2 + 1
# Each further pass over all words serves 8 bytes; what is longer is rare (links, encoded data) and hashed by itself.
_LONG_WORD_BYTES = 32
_SPACE, _FIRST_LEAD, _NUM_LEADS = 0x20, 0xE3, 7
_PUNCTUATION = np.array([33 <= c <= 47 or 58 <= c <= 64 or 91 <= c <= 96 or 123 <= c <= 126 for c in range(256)])
# Odd constants with mixed bits: those of splitmix64 (Steele, Lea, Flood 2014), and a prime of xxHash.
_GOLDEN, _MIX_1, _MIX_2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_RADIX = 0xC2B2AE3D27D4EB4F


@dataclass(frozen=True)
class Words:
    """The words of n texts: `hashes` of all, one text after the other; text i has offsets[i]:offsets[i + 1] of them."""

    hashes: Hashes
    offsets: _Offsets


def blocks(texts: pl.Series) -> Iterator[pl.Series]:
    """Consecutive slices of at most 256 KiB of UTF-8 and 1000 texts each (or one longer text): work on one is small."""
    ends = texts.str.len_bytes().fill_null(0).cast(pl.Int64).cum_sum().to_numpy()
    start = before = 0
    while start < len(texts):
        end = int(np.searchsorted(ends, before + _BLOCK_BYTES, side="right"))
        end = max(start + 1, min(end, start + _BLOCK_TEXTS))
        yield texts.slice(start, end - start)
        start, before = end, int(ends[end - 1])


def hash_words(texts: pl.Series, *, ignore_punctuation: bool = False) -> Words:
    """A 64-bit hash of each word of each text (String [n]; null counts as empty).

    Words are parted by ASCII white space and control characters; with `ignore_punctuation` by ASCII punctuation too, so
    that `(end)` and `end.` hold the same word.
    """
    data, edges = _utf8(texts)
    is_separator = data <= _SPACE
    if ignore_punctuation:
        is_separator |= np.take(_PUNCTUATION, data)
    starts, ends = _spans(data, is_separator, edges)
    return Words(_hash_spans(data, starts, ends), np.searchsorted(starts, edges).astype(np.int64))


def ngram_hashes(words: Words, n: int, *, keep_short: bool = False) -> tuple[Hashes, _Offsets]:
    """Hashes of every run of n words inside a text, in order, and offsets [texts + 1] of each text's runs.

    A text with fewer words has none; with `keep_short` it has one, of all its words (be there none).
    """
    counts = np.maximum(np.diff(words.offsets) - n + 1, 1 if keep_short else 0)
    offsets = _offsets(counts)
    firsts = np.arange(offsets[-1]) + np.repeat(words.offsets[:-1] - offsets[:-1], counts)
    lasts = firsts + n
    if keep_short:
        np.minimum(lasts, np.repeat(words.offsets[1:], counts), out=lasts)
    return _hash_runs(words.hashes, firsts, lasts), offsets


def _offsets(counts: _Offsets) -> _Offsets:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def _utf8(texts: pl.Series) -> tuple[_Bytes, _Offsets]:
    """The bytes of all texts, one text after the other, and the offsets [n + 1] where each begins."""
    texts = texts.fill_null("") if texts.null_count() else texts
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    if not len(array):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer else np.empty(0, np.uint8)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def _spans(data: _Bytes, is_separator: _Mask, edges: _Offsets) -> tuple[_Offsets, _Offsets]:
    """Where each word begins and ends, in order."""
    # Bytes E3 to E9 begin the characters U+3000 to U+9FFF, of three bytes each, and nothing else.
    is_lead = data - np.uint8(_FIRST_LEAD) < _NUM_LEADS
    # A span begins with a text, a separator, and such a character, and behind the character.
    begins = is_separator | is_lead
    begins[3:] |= is_lead[:-3]
    begins[edges[edges < len(data)]] = True
    firsts = np.flatnonzero(begins)
    starts, ends = firsts + is_separator[firsts], np.append(firsts[1:], len(data))
    filled = starts < ends
    return (starts, ends) if filled.all() else (starts[filled], ends[filled])


def _hash_spans(data: _Bytes, starts: _Offsets, ends: _Offsets) -> Hashes:
    """Hash data[start:end] for each pair; no span is empty."""
    assert sys.byteorder == "little", "hashes are stored, and this loads bytes as little-endian integers"
    # Zeros behind the end: a load of 8 bytes may reach beyond the last word.
    padded = np.zeros((len(data) + 23) // 8, np.uint64)
    padded.view(np.uint8)[: len(data)] = data
    lengths = (ends - starts).astype(np.uint64)
    hashes = _mixed(lengths * _GOLDEN ^ _load(padded, starts, lengths))
    rows = np.flatnonzero(lengths > 8)
    for done in range(8, _LONG_WORD_BYTES, 8):
        pieces = _load(padded, starts[rows] + done, lengths[rows] - np.uint64(done))
        hashes[rows] = _mixed(hashes[rows] ^ pieces)
        rows = rows[lengths[rows] > done + 8]
    for row in rows:
        hashes[row] = xxhash.xxh3_64_intdigest(data[starts[row] : ends[row]].tobytes())
    return hashes


def _load(padded: Hashes, positions: _Offsets, remaining: Hashes) -> Hashes:
    """Up to 8 bytes from each position as an integer; those beyond `remaining` (>= 1) are zero."""
    index, shift = positions >> 3, ((positions & 7) << 3).astype(np.uint64)
    # Two shifts, as one by 64 bits is undefined.
    pieces = (padded[index] >> shift) | (padded[index + 1] << np.uint64(1) << (np.uint64(63) - shift))
    unused = np.uint64(64) - (np.minimum(remaining, np.uint64(8)) << np.uint64(3))
    loaded: Hashes = pieces << unused >> unused
    return loaded


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64: one to one, and every bit of the result depends on every bit of the value."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


def _hash_runs(hashes: Hashes, firsts: _Offsets, lasts: _Offsets) -> Hashes:
    """Hash hashes[first:last] for each pair, by differences of prefix sums: the length of a run costs nothing.

    A run is the polynomial with its word hashes as coefficients, modulo 2^64, mixed.
    """
    powers, inverses = _powers(len(hashes) + 1)
    sums = np.zeros(len(hashes) + 1, np.uint64)
    np.cumsum(hashes * powers[: len(hashes)], out=sums[1:])
    return _mixed((sums[lasts] - sums[firsts]) * inverses[firsts])


def _powers(size: int) -> tuple[Hashes, Hashes]:
    """_RADIX to the power of 0 to size - 1 and their inverses, modulo 2^64."""
    # A table for one huge text would stay in memory for good.
    return _some_powers(_TABLE_SIZE) if size <= _TABLE_SIZE else _some_powers.__wrapped__(size)


@cache
def _some_powers(size: int) -> tuple[Hashes, Hashes]:
    both = np.empty((2, size), np.uint64)
    both[:, 0] = 1
    both[:, 1:] = np.array([[_RADIX], [pow(_RADIX, -1, 1 << 64)]], np.uint64)
    np.cumprod(both, axis=1, out=both)
    return both[0], both[1]
