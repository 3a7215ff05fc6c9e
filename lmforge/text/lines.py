"""The lines, paragraphs and words of many texts as one flat table.

A piece is more than white space, and is neither trimmed nor folded. White space is the Unicode property White_Space.
"""

from __future__ import annotations

import polars as pl

# Found several times as fast as the whole class of white space, and nearly all of it.
_COMMON_SPACE, _OTHER_SPACE = r"[ \n]", r"[\s&&[^ \n]]"


def split_lines(texts: pl.Series) -> pl.DataFrame:
    """Columns `document` (position in `texts`) and `piece`, in order; a text of white space has no row."""
    return _filled(_exploded(texts.str.split("\n")))


def split_paragraphs(texts: pl.Series) -> pl.DataFrame:
    """Like `split_lines`, cut at runs of two line feeds or more, after trimming of the text."""
    # A control character stands in for the runs, since the columnar split takes no pattern; text of ours has none.
    marked = texts.str.strip_chars().str.replace_all("\x1e", " ", literal=True).str.replace_all(r"\n{2,}", "\x1e")
    return _filled(_exploded(marked.str.split("\x1e")))


def split_words(texts: pl.Series) -> pl.DataFrame:
    """Like `split_lines`, cut at white space; no piece is empty."""
    pieces = _exploded(texts.str.replace_all(r"\s", " ").str.split(" "))
    return pieces.filter(pl.col("piece") != "")


def count_spaces(texts: pl.Series) -> pl.Series:
    """The number of characters of white space in each text."""
    return texts.str.count_matches(_COMMON_SPACE) + texts.str.count_matches(_OTHER_SPACE)


def count_words(texts: pl.Series) -> pl.Series:
    """The number of runs of anything but white space in each text."""
    words = count_spaces(texts) + 1
    # In a tidy text each character of white space stands between two words; only others are read word by word.
    untidy = _untidy(texts).arg_true()
    return words.scatter(untidy, texts.gather(untidy).str.count_matches(r"\S+"))


def _untidy(texts: pl.Series) -> pl.Series:
    text = pl.col("text")
    pairs = [text.str.contains(pair, literal=True) for pair in ("  ", " \n", "\n ", "\n\n")]
    ends = [edge(space) for edge in (text.str.starts_with, text.str.ends_with) for space in (" ", "\n")]
    untidy = pl.any_horizontal(text == "", text.str.contains(_OTHER_SPACE), *pairs, *ends)
    return texts.to_frame("text").select(untidy).to_series()


def _exploded(lists: pl.Series) -> pl.DataFrame:
    document = pl.int_range(pl.len(), dtype=pl.UInt32).alias("document")
    return pl.DataFrame({"piece": lists}).select(document, "piece").explode("piece")


def _filled(pieces: pl.DataFrame) -> pl.DataFrame:
    return pieces.filter(pl.col("piece").str.contains(r"\S"))
