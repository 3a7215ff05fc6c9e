r"""Regular expressions and column expressions for what is wrong with a text, in the dialect of polars (Rust `regex`).

They run over every text of a corpus, so each holds a character that is rare and can be searched for alone; as one
alternation the same expressions cost five times as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import polars as pl

# Tab, line feed, form feed and carriage return are white space; the set is the one that ftfy removes.
CONTROL_CHARACTERS = r"[\x00-\x08\x0b\x0e-\x1f\x7f]"

# Where windows-1252 puts the bytes 0x80 to 0x9F; as Latin-1 the same bytes are controls.
_CP1252 = (
    "\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c"
    "\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178"
)
# Latin-1 symbols without space and guillemets, which stand after any letter, and what windows-1252 adds to them.
_SYMBOLS = r"\u0080-\u009f\u00a1-\u00aa\u00ac-\u00ba\u00bc-\u00bf"
_MORE_SYMBOLS = "\u20ac\u2020\u2021\u02c6\u2030\u2022\u02dc\u2122"
_CONTINUATION = rf"[\u0080-\u00bf{_CP1252}]"
# UTF-8 read as windows-1252 or Latin-1. After A and O with a diaeresis, ring or caron a quotation mark or space is
# ordinary German, Finnish or Czech, so there only symbols and controls count; Cyrillic and Greek show in pairs.
_MOJIBAKE = (
    rf"\u00c3{_CONTINUATION}",
    rf"\u00c2[{_SYMBOLS}]",
    rf"[\u00c4\u00c5][{_SYMBOLS}\u2030\u2122\u2021\u2020]",
    rf"\u00e2[\u20ac\u0080\u201a\u0082\u201e\u0084\u2020\u0086\u0153\u009c][\u0080-\u009f\u00a1-\u00bf{_CP1252}]",
    rf"[\u00e3-\u00e9][{_SYMBOLS}][{_SYMBOLS}{_MORE_SYMBOLS}]",
    rf"[\u00ea-\u00ed][{_SYMBOLS}{_MORE_SYMBOLS}][{_SYMBOLS}{_MORE_SYMBOLS}]",
    rf"\u00e1\u00ba{_CONTINUATION}",
    # Written out: as a repetition it is slower than reading the text.
    rf"[\u00d0\u00d1]{_CONTINUATION}[\u00d0\u00d1]{_CONTINUATION}",
    rf"[\u00ce\u00cf]{_CONTINUATION}[\u00ce\u00cf]{_CONTINUATION}",
    r"\u00ef(?:\u00bb\u00bf|\u00bf\u00bd)",
    rf"\u00f0[\u0178\u009f]{_CONTINUATION}",
)

# What a suspect must hold, where the pattern of its kind is slow to search for.
_SCREENS = {
    "credit_card": r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}",
    "iban": r"[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4} ?[A-Z0-9]{3}",
}
# Gopher drops documents of which more than 0.30 of the lines are repetitions (Rae et al., arXiv:2112.11446, table A1).
_MAX_REPEATED_LINES = 0.3


def personal_data_left(kinds: Sequence[str]) -> pl.Expr:
    """Return whether the column `text` still holds personal data of one of the kinds (keys of `RESIDUE`)."""
    return pl.col("text").map_batches(partial(_holds, kinds=tuple(kinds)), return_dtype=pl.Boolean, is_elementwise=True)


def mojibake() -> pl.Expr:
    """Return whether the column `text` was decoded wrongly somewhere."""
    return pl.any_horizontal(*(pl.col("text").str.contains(pattern) for pattern in _MOJIBAKE))


def repeated_lines() -> pl.Expr:
    """Return whether more than three tenths of the lines of the column `text` stand in it before."""
    lines = pl.col("text").str.split("\n")
    num_empty = lines.list.count_matches("")
    return lines.list.n_unique() - (num_empty > 0) < (lines.list.len() - num_empty) * (1 - _MAX_REPEATED_LINES)


def _holds(texts: pl.Series, kinds: Sequence[str]) -> pl.Series:
    # Its checksums load libraries that only this rule needs.
    from lmforge.privacy.residue import RESIDUE, residue

    found = np.zeros(len(texts), dtype=bool)
    for kind in kinds:
        suspects = texts.str.contains(_SCREENS.get(kind, RESIDUE[kind])).fill_null(False)
        for row in suspects.arg_true():
            found[row] = found[row] or residue(texts.slice(row, 1), (kind,))[kind] > 0
    return pl.Series(found)
