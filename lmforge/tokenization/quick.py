"""The engine `tokie`, which is several times as fast as `tokenizers`, on the texts where both are known to agree.

It reads special tokens in a text as such, classes some characters differently and lowercases in its own way. So it is
asked, once for a tokenizer, which characters it encodes as `tokenizers` does; a document with any other character, or
with the name of a special token in it, goes to `tokenizers`. A whole sample of documents is compared besides.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tokenizers import Tokenizer as FastTokenizer

from lmforge.tokenization.encoding import Encoded, differing, encode, id_type
from lmforge.tokenization.roles import document_tokenizer, special_names
from lmforge.tokenization.tokenizer import SPECIAL_TOKENS
from lmforge.tokenization.words import WordEncoder, character_class

_RANGES_FILE, _JSON_FILE, _QUICK_FILE = "characters.json", "tokie.json", "tokie.tkz"
# Every character that is compared stands between letters, digits, punctuation, blanks and lines, twice in a row, and
# where the byte-level splitter looks for English contractions: tokie 0.1.4 misses them behind a tab.
_AROUND = "a{0}b {0} 1{0}{0}2 .{0} {0}'s {0}'ll x{0}\n{0} '{0}  {0}"
# Compared whatever the corpus holds: ASCII, Latin-1 and Latin Extended A and B.
_ALWAYS = "".join(map(chr, range(0x250)))
_ODD_TEXTS = (
    "", " ", "\n\n", " leading", "trailing ", "a  b   c", "Don't we'll I'M they'RE 'tis", "1234567890123 3.14 1,000",
    "naïve café e\u0301 \u0301", "ﬁ ß ẞ İ ı ΑΣ", "日本語テキスト", "한국어 हिन्दी ไทย العربية",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd", "x" * 101 + " y",
    "a" * 5_000, "##ing a##b", "<s></s><|endoftext|>[sep]", "http://example.org/a_b?c=d&e=f#g",
    "!!!???...\u2014\u2013-", "\u200b\ufeff\u00ad\u202e", *SPECIAL_TOKENS.values(), "a [SEP] b[MASK]c",
)  # fmt: skip


def is_installed() -> bool:
    """Whether the optional library is there."""
    return find_spec("tokie") is not None


def learn_agreement(tokenizer_dir: Path, texts: Sequence[str], characters: Iterable[str], out: Path) -> str:
    """Write to `out` which characters both engines encode alike; return what speaks against tokie, "" for nothing.

    characters: those of the corpus. texts: a sample of its documents, which must get the same ids from both engines.
    """
    reference = document_tokenizer(tokenizer_dir)
    content = json.loads(reference.to_str())
    lowercase = _without_lowercasing(content)
    (out / _JSON_FILE).write_text(json.dumps(content), encoding="utf-8")
    library = import_module("tokie")
    try:
        engine = library.Tokenizer.from_json(str(out / _JSON_FILE))
    except (library.TokieError, ValueError, OSError) as error:
        return f"tokie cannot load this tokenizer: {error}"
    engine.save(str(out / _QUICK_FILE))
    agreed = _agreed_characters(reference, engine, lowercase, set(characters) | set(_ALWAYS))
    (out / _RANGES_FILE).write_text(
        json.dumps({"lowercase": lowercase, "ranges": _ranges(agreed)}) + "\n", encoding="utf-8"
    )
    if not set("etaoin 0.") <= set(agreed):
        return "tokie encodes ordinary letters differently"
    quick = QuickEncoder(out, reference)
    return quick.disagreement(_ODD_TEXTS) or quick.disagreement(texts)


class QuickEncoder:
    """Encodes with tokie what `learn_agreement` found to be safe, and everything else with `tokenizers`."""

    def __init__(self, directory: Path, reference: FastTokenizer) -> None:
        """directory: where `learn_agreement` wrote to."""
        learned = json.loads((directory / _RANGES_FILE).read_text(encoding="utf-8"))
        self._engine = import_module("tokie").Tokenizer.from_file(str(directory / _QUICK_FILE))
        self._lowercase: bool = learned["lowercase"]
        ranges: list[list[int]] = learned["ranges"]
        known = {chr(point) for low, high in ranges for point in range(low, min(high, 0x7F) + 1)}
        self._refused = character_class(chr(point) for point in range(0x80) if chr(point) not in known)
        self._unknown = "[^" + "".join(f"\\x{{{low:x}}}-\\x{{{high:x}}}" for low, high in ranges) + "]"
        self._reference, self._words = reference, WordEncoder(reference)
        # A NUL stands for none: polars wants one name at least.
        self._special = special_names(reference) or ["\0"]
        self.num_quick = 0

    def encode(self, texts: pl.Series) -> Encoded:
        """The ids that `tokenizers` gives the texts; `num_quick` counts the documents that it was not needed for."""
        encoded, num_quick = self._encode(texts)
        self.num_quick += num_quick
        return encoded

    def disagreement(self, texts: Sequence[str]) -> str:
        """What speaks against trusting this engine, "" where `tokenizers` gives each text the same ids."""
        quick, _ = self._encode(pl.Series(texts, dtype=pl.String))
        different = differing(quick, encode(self._reference, texts))
        return f"tokie gives other ids to {len(different)} of {len(texts)} texts" if len(different) else ""

    def _encode(self, texts: pl.Series) -> tuple[Encoded, int]:
        slow = self._is_unsafe(texts)
        if not slow.any():
            return self._encode_quick(texts), len(texts)
        quick = self._encode_quick(texts.filter(pl.Series(~slow)))
        rest = self._words.encode(texts.filter(pl.Series(slow)))
        return Encoded.merged(slow, rest, quick), len(quick.lengths)

    def _encode_quick(self, texts: pl.Series) -> Encoded:
        return _encode_quick(self._engine, texts, self._lowercase, id_type(self._reference.get_vocab_size()))

    def _is_unsafe(self, texts: pl.Series) -> np.ndarray:
        # Two searches, because one for names and characters together takes several times as long.
        named = texts.str.contains_any(self._special)
        unsafe = (named | texts.str.contains(self._refused)).to_numpy(writable=True)
        # The class of all known characters is slow to search for, and most texts are ASCII.
        wide = np.flatnonzero((texts.str.len_bytes() != texts.str.len_chars()).to_numpy() & ~unsafe)
        unsafe[wide] = texts.gather(wide).str.contains(self._unknown).to_numpy()
        return unsafe


def _without_lowercasing(content: dict[str, Any]) -> bool:
    """Take lowercasing out of a tokenizer.json, in place; tokie would drop accents with it. Whether there was any."""
    normalizer = content["normalizer"] or {}
    if normalizer.get("type") == "Lowercase":
        content["normalizer"] = None
        return True
    lowercase = bool(normalizer.get("lowercase"))
    if lowercase:
        normalizer["lowercase"] = False
    return lowercase


def _agreed_characters(reference: FastTokenizer, engine: Any, lowercase: bool, characters: set[str]) -> list[str]:
    # Unassigned and private code points mean nothing to a model, and the two libraries know different Unicode versions.
    ordered = sorted(one for one in characters if unicodedata.category(one) not in ("Cn", "Co", "Cs"))
    texts = [_AROUND.format(one) for one in ordered]
    different = set(
        differing(
            encode(reference, texts),
            _encode_quick(engine, pl.Series(texts, dtype=pl.String), lowercase, id_type(reference.get_vocab_size())),
        ).tolist()
    )
    return [one for number, one in enumerate(ordered) if number not in different]


def _encode_quick(engine: Any, texts: pl.Series, lowercase: bool, dtype: np.dtype[Any]) -> Encoded:
    ids, lengths = engine.encode_batch_flat((texts.str.to_lowercase() if lowercase else texts).to_list())
    assert ids.max(initial=0) <= np.iinfo(dtype).max, "token ids would not fit"
    return Encoded(ids.astype(dtype), lengths.astype(np.int64))


def _ranges(characters: Sequence[str]) -> list[list[int]]:
    """Ascending characters as first and last code points of runs."""
    ranges: list[list[int]] = []
    for point in map(ord, characters):
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return ranges
