"""The rules of C4 (Raffel et al. 2020, arXiv:1910.10683, section 2.2) on many texts at once.

As in the authors' code, a page is judged by the lines that are left: a curly bracket in a line that goes anyway does
no harm. Sentences are counted by their ends, without a trained splitter: `e.g. Debian` counts as an end. The list of
bad words and the three-sentence de-duplication of the paper are not here.
"""

from __future__ import annotations

import re

import polars as pl

from lmforge.recipe.quality import C4
from lmforge.text.lines import split_lines
from lmforge.text.reasons import first_reason

_PIECE = pl.col("piece")
# Unlike in the authors' code the space before a citation goes with it; the line would not end in its full stop.
_CITATION = r"\s*(?:\[\d*\]|\[edit\]|\[citation needed\])"
_POLICY = "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
# The end of a sentence inside a line; what follows must not begin in lower case.
_SENTENCE_END = "[.!?][\"'\u201d\u2019)\\]]*\\s+[^\\p{Ll}\\s]"


def filter_c4(texts: pl.Series, c4: C4) -> tuple[pl.Series, pl.Series]:
    """The texts as `c4_lines` leaves them, and reason codes, null for a text that keeps all rules.

    In order: c4_lorem_ipsum, c4_curly_bracket, c4_no_lines, c4_too_few_sentences.
    """
    kept = pl.col("kept")
    found = (
        _candidates(texts, c4)
        .group_by("document")
        .agg(
            text=_PIECE.filter(kept).str.join("\n"),
            lorem=pl.col("lorem").any(),
            curly=(pl.col("curly") & ~pl.col("javascript")).any(),
            lines=kept.sum(),
            sentences=(_PIECE.filter(kept).str.count_matches(_SENTENCE_END) + 1).sum(),
        )
    )
    documents = pl.DataFrame({"document": pl.int_range(len(texts), dtype=pl.UInt32, eager=True)})
    frame = documents.join(found, on="document", how="left", maintain_order="left")
    rules = {
        "c4_lorem_ipsum": pl.col("lorem"),
        "c4_curly_bracket": pl.col("curly"),
        "c4_no_lines": pl.col("lines").fill_null(0) == 0,
        "c4_too_few_sentences": pl.col("sentences") < c4.min_sentences,
    }
    return frame["text"].fill_null("").alias(texts.name), frame.select(reason=first_reason(rules)).to_series()


def c4_lines(texts: pl.Series, c4: C4) -> pl.Series:
    """The texts without the lines that C4 drops, without citations, each line trimmed."""
    return filter_c4(texts, c4)[0]


def _candidates(texts: pl.Series, c4: C4) -> pl.DataFrame:
    """The lines of enough words and with an end mark: which of them speak against the page, and which are kept."""
    text = _PIECE.str.replace_all(_CITATION, "") if c4.remove_citations else _PIECE
    lines = split_lines(texts).with_columns(text.str.strip_chars())
    if c4.terminal_punctuation:
        marks = "|".join(re.escape(mark) for mark in c4.end_marks)
        lines = lines.filter(_PIECE.str.contains(f"(?:{marks})$"), ~_PIECE.str.ends_with("..."))
    # Stops at the last word that matters, where counting would read to the end of the line.
    enough = rf"(?:\S+\s+){{{max(c4.min_words_per_line, 1) - 1}}}\S"
    lines = _without_long_words(lines.filter(_PIECE.str.contains(enough)), c4.max_word_chars).with_columns(
        lorem=_PIECE.str.contains("(?i)lorem ipsum") & c4.drop_lorem_ipsum,
        curly=_PIECE.str.contains("{", literal=True) & c4.drop_curly_brackets,
        javascript=_PIECE.str.contains("(?i)javascript") & c4.drop_javascript_lines,
        policy=_PIECE.str.contains(f"(?i){_POLICY}") & c4.drop_policy_lines,
    )
    return lines.with_columns(kept=~pl.any_horizontal("lorem", "curly", "javascript", "policy"))


def _without_long_words(lines: pl.DataFrame, max_chars: int) -> pl.DataFrame:
    words = _PIECE.str.replace_all(r"\s", " ").str.split(" ")
    longest = words.list.eval(pl.element().str.len_chars()).list.max()
    # Only a line that is itself longer can hold such a word, and hardly any is.
    suspect = _PIECE.str.len_chars() > max_chars
    long = lines.with_row_index("row").filter(suspect).filter(longest > max_chars)["row"]
    return lines.with_row_index("row").filter(~pl.col("row").is_in(long.implode())).drop("row")
