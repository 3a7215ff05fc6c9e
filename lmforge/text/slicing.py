"""Columns of labelled data as keys of slices: a short text an example, so that parts of the test set can be compared.

What a column holds decides how it is cut, and files without types count by what their texts look like: a CSV file's
`2026-03-01` is a date, its `17` a number. Only the examples that are given are looked at, so the slices of a frozen
test set stay as they are while training data grows.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from lmforge.privacy.findings import PLACEHOLDERS
from lmforge.privacy.personal_data import mask_personal_data
from lmforge.privacy.secrets import find_secrets
from lmforge.wording import shown

# A column of more values is cut to the largest ones; two years of months are as many.
MAX_VALUES = 24
NONE, OTHER, PRIVATE = "(none)", "(other)", "(private)"
_QUANTILES = 4
_MAX_CHARACTERS = 80
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ].*)?", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def slice_values(values: Sequence[Any], phone_regions: Sequence[str] = ()) -> list[str]:
    """The slice of each example by the values that its column has: text, numbers, booleans or None.

    Dates (ISO 8601) become months where first and last are less than two years apart, else years. Numbers become
    quartiles, `q1: 0 to 17` with the least and greatest value in it, but up to 24 different whole numbers stay as they
    are. Everything else stays as it is. Of more than 24 slices the largest keep their names, those of the rest is
    `(other)`. A value that is missing, empty or NaN is `(none)`; one with personal data or a secret `(private)`, so
    that no report can show it. Values are the same where their first 80 characters are.
    """
    texts = [_text(value) for value in values]
    known = [text for text in texts if text is not None]
    names = _months_or_years(known) or _numbers(known) or {}
    cut = [NONE if text is None else shown(names.get(text, text), _MAX_CHARACTERS) for text in texts]
    return _largest(_without_private(cut, phone_regions))


def _text(value: Any) -> str | None:
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        # A column of whole numbers with a gap becomes one of floats in most data frames.
        return str(int(value))
    return str(value).strip() or None


def _months_or_years(texts: Sequence[str]) -> dict[str, str]:
    """The period of each text; empty unless all are dates."""
    days: dict[str, date] = {}
    for text in set(texts):
        if (found := _DATE.fullmatch(text)) is None:
            return {}
        try:
            days[text] = date.fromisoformat(found[1])
        except ValueError:
            return {}
    if not days:
        return {}
    first, last = min(days.values()), max(days.values())
    by_month = (last.year - first.year) * 12 + last.month - first.month < MAX_VALUES
    return {text: day.isoformat()[: len("2026-03" if by_month else "2026")] for text, day in days.items()}


def _numbers(texts: Sequence[str]) -> dict[str, str]:
    """The quartile of each text; empty unless all are finite numbers, and for few whole ones."""
    if not texts or not all(_NUMBER.fullmatch(text) and math.isfinite(float(text)) for text in texts):
        return {}
    numbers = {text: float(text) for text in texts}
    distinct = sorted(set(numbers.values()))
    if len(distinct) <= MAX_VALUES and all(one.is_integer() for one in distinct):
        return {text: f"{number:.0f}" for text, number in numbers.items()}
    every = np.array([numbers[text] for text in texts])
    # Edges are values that occur, so that no two quartiles share one.
    edges = np.unique(np.quantile(every, np.arange(1, _QUANTILES) / _QUANTILES, method="inverted_cdf"))
    part = {number: int(np.searchsorted(edges, number)) for number in distinct}
    ends = {at: [number for number in distinct if part[number] == at] for at in sorted(set(part.values()))}
    names = {at: f"q{rank}: {own[0]:.6g} to {own[-1]:.6g}" for rank, (at, own) in enumerate(ends.items(), 1)}
    return {text: names[part[number]] for text, number in numbers.items()}


def _without_private(names: list[str], phone_regions: Sequence[str]) -> list[str]:
    distinct = pl.Series(list(dict.fromkeys(names)), dtype=pl.String)
    masked = mask_personal_data(distinct, tuple(PLACEHOLDERS), phone_regions).texts
    private = set(distinct.filter((masked != distinct) | find_secrets(distinct).is_not_null()))
    return [PRIVATE if name in private else name for name in names]


def _largest(names: list[str]) -> list[str]:
    """At most 24 names and those of missing values and the rest; where two are as large, by name."""
    counts = Counter(name for name in names if name != NONE)
    if len(counts) <= MAX_VALUES:
        return names
    kept = set(sorted(counts, key=lambda name: (-counts[name], name))[:MAX_VALUES])
    return [name if name in kept or name == NONE else OTHER for name in names]
