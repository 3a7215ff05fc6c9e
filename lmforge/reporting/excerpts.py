"""Text of data as people may see it: personal data masked, secrets left out, nothing unprintable, cut to a length.

Everything from data passes through here before it is printed or put on a page, ids and names of files too, whatever the
recipe says about masking: a page is handed on more easily than a corpus.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lmforge.privacy.findings import PLACEHOLDERS
from lmforge.privacy.personal_data import mask_personal_data
from lmforge.privacy.secrets import find_secrets
from lmforge.recipe.cleaning import Cleaning
from lmforge.wording import shown

# The excerpts in a quarantine are cut at 200 characters: what is cut in two there lies behind this length.
EXCERPT_CHARACTERS = 120
HIDDEN = "(not shown: it holds a secret)"
# Reasons of which no sample is shown, however it is masked.
PRIVATE = frozenset({"secret"})
UNSHOWN = "(not shown: it holds personal data or a secret)"
_AROUND_PUNCTUATION = re.compile(r"\s*([^\w\s])\s*")
_ESCAPE = re.compile(r"\\(?:[nrt]|x[0-9a-f]{2}|u(?!d[89a-f])[0-9a-f]{4}|U000[0-9a-f]{5}|U0010[0-9a-f]{4})")


def presentable(texts: Sequence[str], limit: int = EXCERPT_CHARACTERS) -> list[str]:
    """The texts masked, escaped by `wording.shown` and cut at `limit` characters; `HIDDEN` for one with a secret."""
    return [shown(text, limit) for text in masked(texts)]


def masked(texts: Sequence[str]) -> list[str]:
    """The whole texts with placeholders for personal data; `HIDDEN` for one with a secret."""
    # Names of files may hold lone surrogates, which are no text.
    series = pl.Series("text", [text.encode("utf-8", "backslashreplace").decode() for text in texts], dtype=pl.String)
    secrets = find_secrets(series)
    clean = mask_personal_data(series, tuple(PLACEHOLDERS), Cleaning().phone_regions).texts
    return [text if kind is None else HIDDEN for text, kind in zip(clean, secrets, strict=True)]


def holds_private(texts: Sequence[str]) -> bool:
    """Whether masking would change one of these texts, which a tokenizer may have put together from its tokens.

    A tokenizer of words leaves blanks around punctuation, so they are looked at without those, too.
    """
    every = [*texts, *(_AROUND_PUNCTUATION.sub(r"\1", text) for text in texts)]
    return masked(every) != every


def read_quarantine(directory: Path) -> Iterator[dict[str, Any]]:
    """The entries of a stage's quarantine as they stand there, unmasked; none where there is no such file."""
    path = directory / "quarantine.jsonl"
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def shown_rejection(entry: Mapping[str, Any]) -> dict[str, str]:
    """An entry of a quarantine for people: reason, place, detail and excerpt, which is empty for a secret."""
    excerpt = "" if entry["reason"] in PRIVATE else _unescaped(entry["excerpt"])
    place, detail, excerpt = presentable([f"{entry['source']}:{entry['line']}", _unescaped(entry["detail"]), excerpt])
    return {"reason": entry["reason"], "place": place, "detail": detail, "excerpt": excerpt}


def _unescaped(excerpt: str) -> str:
    # A number behind the two characters of an escaped line break is not known as one.
    return _ESCAPE.sub(lambda found: found[0].encode("ascii").decode("unicode_escape"), excerpt)
