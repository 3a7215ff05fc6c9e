"""The rules that FineWeb adds (Penedo et al. 2024, arXiv:2406.17557, section 3.6) on many texts at once.

Lines of white space do not count. A line ends a sentence when its last character has the Unicode property
Sentence_Terminal, so a closing quote or bracket after the full stop does not.
"""

from __future__ import annotations

import polars as pl

from lmforge.recipe.quality import FineWeb
from lmforge.text.lines import count_words, split_lines
from lmforge.text.reasons import first_reason
from lmforge.text.repeats import per_document, repeats

_PIECE = pl.col("piece")


def fineweb_reasons(texts: pl.Series, fineweb: FineWeb) -> pl.Series:
    """Reason codes, null for a text that keeps all rules.

    In the order of the authors' code: fineweb_no_lines, fineweb_few_terminal_lines, fineweb_short_lines,
    fineweb_duplicate_line_chars, fineweb_line_breaks.
    """
    lines, height = split_lines(texts), len(texts)
    again = repeats(lines, height)
    text = pl.col("text")
    frame = texts.to_frame("text").with_columns(
        pl.Series("lines", again.total),
        pl.Series("repeated_chars", again.repeated_chars),
        pl.Series("terminal", per_document(lines, _PIECE.str.contains(r"\p{Sentence_Terminal}\s*$"), height)),
        pl.Series("short", per_document(lines, _PIECE.str.len_chars() <= fineweb.short_line_chars, height)),
        pl.Series("words", count_words(texts)),
        breaks=text.str.count_matches("\n", literal=True),
        chars=text.str.len_chars(),
    )
    return frame.select(reason=first_reason(_rules(fineweb))).to_series()


def _rules(fineweb: FineWeb) -> dict[str, pl.Expr]:
    lines, chars = pl.col("lines"), pl.col("chars") - pl.col("breaks")
    return {
        "fineweb_no_lines": lines == 0,
        "fineweb_few_terminal_lines": pl.col("terminal") < fineweb.min_terminal_line_share * lines,
        "fineweb_short_lines": pl.col("short") > fineweb.max_short_line_share * lines,
        "fineweb_duplicate_line_chars": pl.col("repeated_chars") > fineweb.max_duplicate_line_char_share * chars,
        "fineweb_line_breaks": pl.col("breaks") > fineweb.max_line_breaks_per_word * pl.col("words"),
    }
