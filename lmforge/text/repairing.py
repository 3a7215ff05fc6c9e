"""Repair of texts: mojibake, controls, invisible characters, stacked accents and white space; never the wording.

Each line break, single or repeated, becomes one `\\n` and every other run of white space one space. Curly quotes,
fullwidth forms and joiners inside words or emoji are kept: they are the author's. `repair` says what is right for one
text; `repair_texts` gives the same answers for a column and calls it for suspects alone.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import ftfy
import polars as pl
from ftfy.badness import BADNESS_RE
from ftfy.chardata import CONTROL_CHARS, LIGATURES
from ftfy.fixes import unescape_html

# Fullwidth forms stay because Chinese and Japanese punctuation is fullwidth. Entities are left to `_unescape`: ftfy
# peels one layer after the other, which takes quadratic time on nested ones.
_CONFIG = ftfy.TextFixerConfig(
    unescape_html=False, uncurl_quotes=False, fix_character_width=False, normalization="NFC", explain=False
)

# Text without a match is a fixed point of ftfy: it only touches non-ASCII, control characters, escapes and entities.
_SUSPECT = re.compile(r"[^\t\n\f\r -%'-~]")

# What one pass removes can bring together what the next one mends, such as a letter and its accent.
_MAX_PASSES = 8

# Vietnamese needs two accents on a letter, polytonic Greek three, narrow phonetic transcription seldom four.
_MAX_ACCENTS = 4
_ACCENTS = "\u0300-\u036f\u0483-\u0489\u0e47-\u0e4e\u1ab0-\u1ac0\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
# The Stream-Safe Text Format of Unicode (UAX #15, section 13); sorting longer runs takes quadratic time.
_MAX_NONSTARTERS = 30
# More accents on one letter than any spelling has; a pattern for Python and for Rust.
STACKED_ACCENTS = f"[{_ACCENTS}]{{{_MAX_ACCENTS + 1}}}"

_FORMATS = "\u00ad\u180e\u200b\u2060-\u2064\ufeff"  # soft hyphen, zero-width space, word joiner, byte order mark
_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, embeddings, overrides and isolates
_SELECTORS = "\ufe00-\ufe0d\U000e0100-\U000e01ef"  # of variants, except the two that choose text or emoji style
_TAGS = "\U000e0000-\U000e007f"
_JOINERS = "[\u200c\u200d]"
_SPACES = "\t \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_BREAKS = "\n\f\r\u2028\u2029"

_INVISIBLE = re.compile(
    f"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f{_FORMATS}{_DIRECTIONS}{_SELECTORS}]"
    # Joiners shape Indic and Persian words and emoji families, but mean nothing beside ASCII or at an end.
    f"|(?<![^\x00-\x7f]){_JOINERS}+|{_JOINERS}+(?![^\x00-\x7f])"
    # Tag characters spell the flag of a region after a black flag and hide text anywhere else.
    f"|(?<![\U0001f3f4{_TAGS}])[{_TAGS}]+"
)

# Control sequences, strings and designations of character sets (ECMA-48, section 5; ECMA-35, section 13).
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|[PX\]^_][^\x07\x1b\n]*+(?:\x07|\x1b\\)|[ -/]++[0-~]|[78=>])")
# Bold and underlined text of old printers, as in formatted manual pages.
_OVERSTRUCK = re.compile(r"(?s:(.)(?:\x08\1)+|_\x08(.))")
_AMPERSANDS = re.compile(r"&(?:(?:amp|AMP|#0{0,20}38|#[xX]0{0,20}26);)+")

_ENTITY = "&#?[0-9A-Za-z]{1,24};"
_CONTROLS = "[\x00-\x08\x0b\x0e-\x1f\x7f]"
_NARROW_SUSPECT = f"{_CONTROLS}|{_ENTITY}"
_ODD_SPACE = f"[{_SPACES}&&[^ ]]"
# Texts are stripped before it is searched, so a single space or line break is as it should be.
_UNTIDY = f"  | \n|\n |\n\n|{_ODD_SPACE}|[{_BREAKS}&&[^\n]]"


def repair(text: str) -> str:
    """The text as its author meant it; equal to the input when nothing was wrong with it. Linear in its length."""
    if _SUSPECT.search(text) is None:
        return _collapse(text)
    for _ in range(_MAX_PASSES):
        before = text
        text = _unescape(_unstack(_untype(text)))
        text = _collapse(_INVISIBLE.sub("", ftfy.fix_text(text, _CONFIG)))
        if text == before:
            break
    return text


def repair_texts(texts: pl.Series) -> pl.Series:
    """`repair` of each text of a column; a null stays null.

    Searches in Rust find the texts to which `repair` might do more than tidy white space; only those pay for it.
    """
    tidied = _tidy(texts)
    suspects = (texts.str.contains(_NARROW_SUSPECT) | _wide_suspects(texts, tidied)).arg_true()
    return tidied.scatter(suspects, pl.Series([repair(text) for text in texts.gather(suspects)], dtype=pl.String))


def repair_kinds(before: pl.Series, after: pl.Series) -> dict[str, int]:
    """Number of texts by what was repaired in them; a text may count under several kinds, or, seldom, under none.

    Kinds: mojibake, control, invisible, bidi, entities, whitespace, combining (stacked accents cut) and form
    (ligatures taken apart, letters and their accents composed).
    """
    changed = (before != after).arg_true()
    rows = pl.DataFrame({"before": before.gather(changed), "after": after.gather(changed)})
    # Nearly all changes are of white space alone, and are told by that; searching all for the rest takes longer.
    rest = rows.filter(_tidy(rows["before"]) != rows["after"])
    counts = {
        kind: (rest["before"].str.count_matches(pattern) > rest["after"].str.count_matches(pattern)).sum()
        for kind, pattern in _kinds().items()
    }
    untidy = rest["before"].str.contains(_UNTIDY) | (rest["before"] != rest["before"].str.strip_chars())
    decomposed = rest["before"].str.normalize("NFC") != rest["before"]
    counts["whitespace"] = len(rows) - len(rest) + untidy.sum()
    counts["form"] = (decomposed | rest["before"].str.contains(f"[{_ligatures()}]")).sum()
    return {kind: int(count) for kind, count in counts.items()}


def _untype(text: str) -> str:
    if "\x1b" in text:
        text = _TERMINAL.sub("", text)
    return _OVERSTRUCK.sub(r"\1\2", text) if "\x08" in text else text


def _unescape(text: str) -> str:
    # Text with tags is HTML, whose entities are its own; ftfy too leaves them from the first line with a tag on.
    tag = text.find("<")
    end = len(text) if tag < 0 else text.rfind("\n", 0, tag) + 1
    start = _AMPERSANDS.sub("&amp;", text[:end])
    for _ in range(_MAX_PASSES):
        before = start
        start = unescape_html(start)
        if start == before:
            break
    return start + text[end:]


def _unstack(text: str) -> str:
    for pattern in () if text.isascii() else _stacks():
        text = pattern.sub(r"\1", text)
    return text


@cache
def _stacks() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """More accents, and more characters that do not start a letter, than are kept; group 1 is what is."""
    # Nothing from U+20000 on but tags and selectors, which are no accents.
    nonstarters = "".join(char for char in map(chr, range(0x300, 0x20000)) if unicodedata.combining(char))
    limits = ((_ACCENTS, _MAX_ACCENTS), (nonstarters, _MAX_NONSTARTERS))
    accents, others = (re.compile(f"([{chars}]{{{limit}}})[{chars}]+") for chars, limit in limits)
    return accents, others


def _collapse(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _tidy(texts: pl.Series) -> pl.Series:
    """`_collapse` of each text that holds no control characters."""
    stripped = texts.str.strip_chars()
    untidy = stripped.str.contains(_UNTIDY).arg_true()
    tidied = (
        stripped.gather(untidy)
        .str.replace_all(f"[{_SPACES}]*[{_BREAKS}][{_BREAKS}{_SPACES}]*", "\n")
        .str.replace_all(f"[{_SPACES}]{{2,}}|{_ODD_SPACE}", " ")
    )
    return stripped.scatter(untidy, tidied)


def _wide_suspects(texts: pl.Series, tidied: pl.Series) -> pl.Series:
    """Whether a text has characters beyond ASCII and `repair` might change them; one mask for the column."""
    wide = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    raw, tidy = texts.gather(wide), tidied.gather(wide)
    # White space next to it decides whether something is mojibake, so the tidied text is judged too.
    suspect = raw.str.contains(_wide_suspect()) | tidy.str.contains(_wide_suspect()) | (raw.str.normalize("NFC") != raw)
    return pl.repeat(False, len(texts), eager=True).scatter(wide, suspect)


@cache
def _wide_suspect() -> str:
    """A Rust pattern that matches every text beyond ASCII to which `repair` does more than tidy white space.

    It may match others. What normalisation would change is not looked for.
    """
    odd = "".join(map(chr, CONTROL_CHARS)) + "\x7f-\x9f" + _ligatures() + _FORMATS + _DIRECTIONS + _SELECTORS + _TAGS
    edge = r"[\x00-\x7f\s]"
    return rf"[{odd}]|(?:^|{edge}){_JOINERS}|{_JOINERS}(?:$|{edge})|\p{{M}}{{{_MAX_ACCENTS + 1}}}|{_mojibake()}"


def _ligatures() -> str:
    return "".join(map(chr, LIGATURES))


def _kinds() -> dict[str, str]:
    return {
        "mojibake": rf"[\x80-\x9f]|{_mojibake()}",
        "control": _CONTROLS,
        "invisible": f"[{_FORMATS}{_SELECTORS}{_TAGS}]|{_JOINERS}",
        "bidi": f"[{_DIRECTIONS}]",
        "entities": _ENTITY,
        "combining": STACKED_ACCENTS,
    }


def _mojibake() -> str:
    """ftfy's test for mojibake, in the syntax of Rust; it may match more, because a line or `\\w` may be longer."""
    pattern = re.sub(r"(?m)^ *#.*$", "", BADNESS_RE.pattern)
    # Verbose mode ignores white space outside of classes in Python, in Rust inside of them too.
    pattern = re.sub(r"(\[[^\]]*\])|\s+", lambda match: match[1] or "", pattern)
    return pattern.replace("|^", "|").replace(r"\w", r"[\w\p{N}]")
