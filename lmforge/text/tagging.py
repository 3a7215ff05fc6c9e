"""Tags of texts: what a document is besides prose, found by searches in Rust over a column.

Tags say what was there, they drop nothing; a recipe drops by `cleaning.drop_tagged`. Give the text as it was read:
repair takes away the direction controls and accents that two of the tags are about.
"""

from __future__ import annotations

import math
from collections import Counter

import polars as pl

from lmforge.text.repairing import STACKED_ACCENTS

# In the order in which they are written.
TAGS = ("bidi", "mixed_script", "zalgo", "code", "encoded", "latex", "markdown")

# Embeddings, overrides and isolates, which reorder what is read (Boucher and Anderson, Trojan Source, 2021,
# arXiv:2111.00169, table 1). The marks U+200E and U+200F are everyday characters of Hebrew and Arabic.
_BIDI = "[\u202a-\u202e\u2066-\u2069]"
# Capitals and small letters of Greek that look like Latin ones; others stand beside Latin in science (TNFα, μm, ΔG).
_GREEK = "[ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοιυ]"
# A word of two scripts is not of one orthography (Unicode UTS #39, section 5.1).
_MIXED_SCRIPT = rf"\p{{Latin}}(?:\p{{Cyrillic}}|{_GREEK})|(?:\p{{Cyrillic}}|{_GREEK})\p{{Latin}}"

_CODE_LINE = (
    r"(?m)^[ \t]*(?:"
    + "|".join(
        (
            r"(?:def|class)[ \t]+\w+[ \t]*[(:{]",
            r"(?:import|from)[ \t]+[\w.]+(?:[ \t]+import[ \t].*)?;?$|#[ \t]*(?:include|define|if|ifdef|ifndef|endif)\b",
            r"(?:public|private|protected|static|const|let|var|func|fn|function|using|namespace|template)\b[^.\n]*[;{(=]",
            r"(?:if|for|while|switch|elif|else if|try|else|finally|except|with)\b[^\n]*[{:]$",
            r"(?:return|raise|throw)\b.*[\w;)\]]$",
            # Calls, assignments, closing brackets, decorators, prompts of a shell.
            r"[\w.]+\(.*[);,({]$|\w[\w.\[\]>-]*[ \t]*[-+*/|&]?=[^=].*$|[})\]]+[;,)]*$|@\w+(?:\(.*\))?$|\$ \w+",
            r".*[=(].*;$|.*[{]$|//|/\*|\*/|SELECT[ \t].*[ \t]FROM\b|<\?php",
        )
    )
    + ")"
)
_MIN_CODE_LINES = 3
_MIN_CODE_LINE_SHARE = 0.4
_SYMBOL = r"[{}()\[\];=<>&|$\\_*+/]"
# Of the package descriptions 1 in 5,000 has more; JavaScript without white space has 15 to 25 %.
_MAX_SYMBOL_SHARE = 0.1
_MIN_SYMBOL_CHARS = 200

# A line of base64 has 64 or 76 characters (RFC 7468, RFC 2045), a line of a dump eight groups of hex or more.
_ENCODED = (
    r"[A-Za-z0-9+/_-]{60,}={0,2}|(?:\b[0-9A-Fa-f]{2,8}[\s:,]+){8,}"
    r"|(?:\\x[0-9A-Fa-f]{2}){16,}|(?:%[0-9A-Fa-f]{2}){16,}"
)
# A checksum (SHA-512 has 128 digits) in a text of prose is none.
_MIN_ENCODED_SHARE = 0.3
# Of 1,000 runs of 60 characters in base64 of random bytes the least has 4.6 bits a character; English has 4.1.
_MIN_BASE64_BITS = 4.5
# Hex of 30 random bytes has all sixteen digits but for one or two; rulers and numbers of zeros have fewer.
_MIN_HEX_DIGITS = 8

_LATEX = r"\\(?:begin|end|(?:sub)?section|cite|ref|label|frac|sqrt|text[a-z]{2}|emph|item|left|right|sum|int|alpha)\b"
_MARKDOWN = r"(?m)^#{2,6} \S|^```|^~~~|\[[^\]\n]+\]\([^)\s]+\)|\*\*[^*\s][^*\n]*\*\*|^\|(?:[ :-]+\|)+$"
_MIN_MARKS = 3


def tag(texts: pl.Series) -> pl.Series:
    """The tags of each text, in the order of `TAGS` with commas between; an empty string for none or a null.

    bidi: controls that reorder text; mixed_script: a word of Latin with Cyrillic or Greek letters; zalgo: five accents
    or more on a letter; code: two lines in five, or a tenth of the characters, are as in a program; encoded: base64,
    hex or escapes on three tenths of the text; latex, markdown: three marks of it or more.

    On 34,169 package descriptions, nearly all prose, code is given to 37, markdown to 4 and
    the others to none; code finds 73 % of Python's, 89 % of C's and 98 % of npm's source files.
    """
    frame = pl.DataFrame(
        {
            "bidi": texts.str.contains(_BIDI),
            "mixed_script": texts.str.contains(_MIXED_SCRIPT),
            "zalgo": texts.str.contains(STACKED_ACCENTS),
            "code": _is_code(texts),
            "encoded": _is_encoded(texts),
            "latex": texts.str.count_matches(_LATEX) >= _MIN_MARKS,
            "markdown": texts.str.count_matches(_MARKDOWN) >= _MIN_MARKS,
        }
    )
    marks = [pl.when(pl.col(name)).then(pl.lit(name)) for name in TAGS]
    return frame.select(pl.concat_str(marks, separator=",", ignore_nulls=True).alias("tags"))["tags"]


def _is_code(texts: pl.Series) -> pl.Series:
    code_lines = texts.str.count_matches(_CODE_LINE)
    lines = texts.str.count_matches(r"(?m)^.*\S.*$")
    chars = texts.str.len_chars()
    symbols = texts.str.count_matches(_SYMBOL)
    by_lines = (code_lines >= _MIN_CODE_LINES) & (code_lines >= lines * _MIN_CODE_LINE_SHARE)
    return by_lines | ((symbols > chars * _MAX_SYMBOL_SHARE) & (chars >= _MIN_SYMBOL_CHARS))


def _is_encoded(texts: pl.Series) -> pl.Series:
    suspects = texts.str.contains(_ENCODED).arg_true()
    runs = texts.gather(suspects).str.extract_all(_ENCODED)
    found = [
        sum(len(run) for run in each if _is_opaque(run)) >= _MIN_ENCODED_SHARE * len(text)
        for each, text in zip(runs, texts.gather(suspects), strict=True)
    ]
    return pl.repeat(False, len(texts), eager=True).scatter(suspects, pl.Series(found, dtype=pl.Boolean))


def _is_opaque(run: str) -> bool:
    """Whether a long run of letters and digits is no word, path or ruler of dashes."""
    hex_digits = set(run.lower()) - set(" \t\r\n:,\\x%")
    if hex_digits <= set("0123456789abcdef"):
        return len(hex_digits) >= _MIN_HEX_DIGITS and not "".join(hex_digits).isdigit()
    entropy = -sum(count / len(run) * math.log2(count / len(run)) for count in Counter(run).values())
    return entropy >= _MIN_BASE64_BITS and any(char.isdigit() for char in run)
