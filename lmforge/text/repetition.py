"""The repetition rules of Gopher (Rae et al. 2021, arXiv:2112.11446, table A1) on many texts at once.

Words are runs of anything but white space. N-grams are screened by hash: one sort tells an upper bound for every
text, and only texts above a limit are counted word by word. So no decision rests on a hash, and ordinary text costs
a few sorts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lmforge.recipe.quality import GopherRepetition
from lmforge.text.lines import split_lines, split_paragraphs, split_words
from lmforge.text.reasons import first_reason
from lmforge.text.repeats import Counts, Repeats, repeats

# The table of words takes about seven times the bytes of the text.
_CHUNK_BYTES = 1 << 24
# A key of 64 bits: position of the document, hash of the n-gram, its characters; the last two may be cut.
_DOCUMENT_BITS, _HASH_BITS, _CHAR_BITS = 20, 31, 13
_MAX_CHARS = (1 << _CHAR_BITS) - 1
_ANY_LENGTH = 1 << 32
# Any odd number mixes; this one is 2^64 divided by the golden ratio (Knuth, TAOCP 3, section 6.4).
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def repetition_reasons(texts: pl.Series, limits: GopherRepetition) -> pl.Series:
    """Reason codes, null for a text that keeps all rules; linear in the text.

    In order: gopher_duplicate_paragraphs, gopher_duplicate_paragraph_chars, gopher_duplicate_lines,
    gopher_duplicate_line_chars, gopher_top_N_gram for N of 2 to 4, gopher_duplicate_N_gram for N of 5 to 10.
    The most frequent n-gram must occur twice (of equals the first counts); the characters of n-grams that occurred
    before are counted from the left without overlap and without the spaces between the words.
    """
    reasons = _piece_reasons(texts, limits)
    asked = np.flatnonzero(reasons.is_null().to_numpy())
    suspects = asked[_suspects(texts.gather(asked), limits)]
    words = split_words(texts.gather(suspects)).group_by("document", maintain_order=True).agg("piece")["piece"]
    num_chars = texts.gather(suspects).str.len_chars()
    found = [_ngram_reason(own.to_list(), chars, limits) for own, chars in zip(words, num_chars, strict=True)]
    return reasons.scatter(suspects, pl.Series(found, dtype=pl.String))


def _piece_reasons(texts: pl.Series, limits: GopherRepetition) -> pl.Series:
    lines = repeats(split_lines(texts), len(texts))
    frame = pl.DataFrame({"chars": texts.str.len_chars(), **_columns("line", lines)})
    several = np.flatnonzero(texts.str.contains("\n\n", literal=True).to_numpy())
    paragraphs = _columns("paragraph", repeats(split_paragraphs(texts.gather(several)), len(several)))
    single = {"paragraph": 1, "paragraph_repeated": 0, "paragraph_chars": 0}
    frame = frame.with_columns(
        pl.repeat(value, len(texts), dtype=pl.Int64, eager=True).scatter(several, paragraphs[name]).alias(name)
        for name, value in single.items()
    )
    rules = {
        **_piece_rules("paragraph", limits.max_duplicate_paragraph_share, limits.max_duplicate_paragraph_char_share),
        **_piece_rules("line", limits.max_duplicate_line_share, limits.max_duplicate_line_char_share),
    }
    return frame.select(reason=first_reason(rules)).to_series()


def _columns(name: str, counts: Repeats) -> dict[str, pl.Series]:
    columns = (name, f"{name}_repeated", f"{name}_chars")
    return {column: pl.Series(values) for column, values in zip(columns, counts, strict=True)}


def _piece_rules(name: str, max_share: float, max_char_share: float) -> dict[str, pl.Expr]:
    return {
        f"gopher_duplicate_{name}s": pl.col(f"{name}_repeated") > max_share * pl.col(name),
        f"gopher_duplicate_{name}_chars": pl.col(f"{name}_chars") > max_char_share * pl.col("chars"),
    }


def _suspects(texts: pl.Series, limits: GopherRepetition) -> NDArray[np.intp]:
    """Positions of the texts whose n-grams may be above a limit."""
    found = [start + _suspects_of_chunk(chunk, limits) for start, chunk in _chunks(texts)]
    return np.concatenate(found) if found else np.empty(0, dtype=np.intp)


def _chunks(texts: pl.Series) -> Iterator[tuple[int, pl.Series]]:
    ends = texts.str.len_bytes().cum_sum().to_numpy()
    start = 0
    while start < len(texts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _CHUNK_BYTES, side="right")))
        stop = min(stop, start + (1 << _DOCUMENT_BITS))
        yield start, texts.slice(start, stop - start)
        start = stop


def _suspects_of_chunk(texts: pl.Series, limits: GopherRepetition) -> NDArray[np.intp]:
    words, num_chars = _words(texts), texts.str.len_chars().to_numpy()
    top_limits, duplicate_limits = _top_limits(limits), _duplicate_limits(limits)
    suspect = np.zeros(len(texts), dtype=bool)
    grams = words.hashes
    for size in range(2, min(duplicate_limits) + 1):
        grams = grams[:-1] * _MULTIPLIER + words.hashes[size - 1 :]
        most, sum_ = _repeated_chars(words, grams, size, len(texts))
        if size in top_limits:
            suspect |= most > top_limits[size] * num_chars
    # Words in a repeated n-gram of a larger size stand in repeated ones of the smallest size too.
    suspect |= sum_ > min(duplicate_limits.values()) * num_chars
    return np.flatnonzero(suspect)


def _repeated_chars(words: _Words, grams: NDArray[np.uint64], size: int, height: int) -> tuple[Counts, Counts]:
    """By document, at least: characters of all copies of one n-gram, and of all n-grams that occurred before."""
    last = len(words.ends) - size
    # The first n-gram of the table has no word before it.
    chars = words.ends[size:] - words.ends[:last] + size - 1 if last > 0 else words.ends[:0]
    whole = words.document[size - 1 :] == words.document[: len(grams)]
    keys = words.document[: len(grams)].astype(np.uint64) << np.uint64(_HASH_BITS + _CHAR_BITS)
    keys |= (grams >> np.uint64(64 - _HASH_BITS)) << np.uint64(_CHAR_BITS)
    keys |= np.minimum(chars, _MAX_CHARS).astype(np.uint64)
    runs, copies = _runs(np.sort(keys[whole]))
    document = (runs >> np.uint64(_HASH_BITS + _CHAR_BITS)).astype(np.int64)
    length = (runs & np.uint64(_MAX_CHARS)).astype(np.int64)
    # What was cut may be of any length.
    length[length == _MAX_CHARS] = _ANY_LENGTH
    most, sum_ = np.zeros(height, dtype=np.int64), np.zeros(height, dtype=np.int64)
    np.maximum.at(most, document, copies * length)
    np.add.at(sum_, document, (copies - 1) * length)
    return most, sum_


def _runs(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Counts]:
    """The keys that stand at least twice among sorted ones, and how often."""
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, np.int64)
    copies = np.diff(np.append(starts, len(keys)))
    return keys[starts[copies > 1]], copies[copies > 1]


class _Words(NamedTuple):
    """The words of a chunk: position of their document, hash, and `ends[i]` characters in the first i words."""

    document: NDArray[np.uint32]
    hashes: NDArray[np.uint64]
    ends: Counts


def _words(texts: pl.Series) -> _Words:
    words = split_words(texts)
    # Not the same in every version of polars, which is why hashes only screen.
    hashes, chars = words["piece"].hash(0), words["piece"].str.len_chars()
    ends = np.concatenate([[0], np.cumsum(chars.to_numpy(), dtype=np.int64)])
    return _Words(words["document"].to_numpy(), hashes.to_numpy(), ends)


def _ngram_reason(words: list[str], num_chars: int, limits: GopherRepetition) -> str | None:
    """The rule on n-grams that a text breaks, counted word by word."""
    for size, limit in _top_limits(limits).items():
        if _top_chars(words, size) > limit * num_chars:
            return f"gopher_top_{size}_gram"
    for size, limit in _duplicate_limits(limits).items():
        if _duplicate_chars(words, size) > limit * num_chars:
            return f"gopher_duplicate_{size}_gram"
    return None


def _grams(words: list[str], size: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(size)), strict=False)


def _top_chars(words: list[str], size: int) -> int:
    counts = Counter(_grams(words, size))
    if not counts:
        return 0
    gram, copies = counts.most_common(1)[0]
    return copies * (sum(map(len, gram)) + size - 1) if copies > 1 else 0


def _duplicate_chars(words: list[str], size: int) -> int:
    seen: set[tuple[str, ...]] = set()
    chars = skip = 0
    for gram in _grams(words, size):
        if skip:
            skip -= 1
        elif gram in seen:
            chars += sum(map(len, gram))
            skip = size - 1
        else:
            seen.add(gram)
    return chars


def _top_limits(limits: GopherRepetition) -> dict[int, float]:
    return {size: getattr(limits, f"max_top_{size}_gram_char_share") for size in (2, 3, 4)}


def _duplicate_limits(limits: GopherRepetition) -> dict[int, float]:
    return {size: getattr(limits, f"max_duplicate_{size}_gram_char_share") for size in range(5, 11)}
