"""The quality rules of Gopher (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1) on many texts at once.

The paper leaves open what a word is: here a run of anything but white space, so that marks count with the word that
they stand at. A bullet is one of U+2022 and `-`; an ellipsis is `...` or U+2026.
"""

from __future__ import annotations

import polars as pl

from lmforge.recipe.quality import Gopher
from lmforge.text.lines import count_spaces, count_words
from lmforge.text.reasons import first_reason

_TEXT = pl.col("text")
_HORIZONTAL = r"[^\S\n]*"


def gopher_reasons(texts: pl.Series, gopher: Gopher, languages: pl.Series | None = None) -> pl.Series:
    """Reason codes, null for a text that keeps all rules.

    In the order of the paper: gopher_too_few_words, gopher_too_many_words, gopher_short_words, gopher_long_words,
    gopher_hashes, gopher_ellipses, gopher_bullet_lines, gopher_ellipsis_lines, gopher_few_alphabetic_words,
    gopher_few_stop_words.
    languages: ISO 639-1 codes; None takes all for English.
    """
    spoken = pl.repeat("en", len(texts), eager=True) if languages is None else languages
    chars = texts.str.len_chars() - count_spaces(texts)
    columns = {"text": texts, "language": spoken, "words": count_words(texts), "chars": chars}
    frame = pl.DataFrame(columns).with_columns(**_measures())
    rules = {**_rules(gopher), "gopher_few_stop_words": _few_stop_words(gopher)}
    return frame.select(reason=first_reason(rules)).to_series()


def _measures() -> dict[str, pl.Expr]:
    return {
        "alphabetic": _TEXT.str.count_matches(r"\p{L}\S*"),
        "hashes": _TEXT.str.count_matches("#", literal=True),
        "ellipses": _TEXT.str.count_matches("\\.\\.\\.|\u2026"),
        # White space may run over line ends, so that lines of nothing else are not counted.
        "lines": _TEXT.str.count_matches(r"(?m)^\s*\S"),
        "bullet_lines": _TEXT.str.count_matches(f"(?m)^{_HORIZONTAL}[\u2022-]"),
        "ellipsis_lines": _TEXT.str.count_matches(f"(?m)(?:\\.\\.\\.|\u2026){_HORIZONTAL}$"),
    }


def _rules(gopher: Gopher) -> dict[str, pl.Expr]:
    words, lines = pl.col("words"), pl.col("lines")
    return {
        "gopher_too_few_words": words < gopher.min_words,
        "gopher_too_many_words": words > gopher.max_words,
        "gopher_short_words": pl.col("chars") / words < gopher.min_mean_word_chars,
        "gopher_long_words": (words > 0) & (pl.col("chars") / words > gopher.max_mean_word_chars),
        "gopher_hashes": pl.col("hashes") > gopher.max_hashes_per_word * words,
        "gopher_ellipses": pl.col("ellipses") > gopher.max_ellipses_per_word * words,
        "gopher_bullet_lines": pl.col("bullet_lines") > gopher.max_bullet_line_share * lines,
        "gopher_ellipsis_lines": pl.col("ellipsis_lines") > gopher.max_ellipsis_line_share * lines,
        "gopher_few_alphabetic_words": pl.col("alphabetic") < gopher.min_alphabetic_word_share * words,
    }


def _few_stop_words(gopher: Gopher) -> pl.Expr:
    """Whether fewer different stop words stand in the text than must; null for a language without a list."""
    few = pl.lit(None, dtype=pl.Boolean)
    for language, stop_words in gopher.stop_words.items():
        few = (
            pl.when(pl.col("language") == language).then(_num_found(stop_words) < gopher.min_stop_words).otherwise(few)
        )
    return few


def _num_found(stop_words: tuple[str, ...]) -> pl.Expr:
    found = [_TEXT.str.contains(rf"(?i)\b{_escaped(word)}\b") for word in stop_words]
    return pl.sum_horizontal(pl.lit(0), *found)


def _escaped(word: str) -> str:
    # By code points, since the columnar engine refuses escapes of plain letters that Python's re.escape may write.
    return "".join(rf"\x{{{ord(char):x}}}" for char in word)
