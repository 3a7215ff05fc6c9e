"""Which documents may hold personal data: one columnar test a kind, so that only suspects pay for a look in Python.

A screen must let every finding of its finder pass; what it lets pass in vain costs time only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from lmforge.privacy.identities import FORMS

_NAMES = "|".join(form.context for form in FORMS if form.context)
_SHAPES = "|".join(form.pattern for form in FORMS if not form.context)

# Digits are those of ASCII here: the texts are folded.
_SCREENS: Mapping[str, tuple[str, ...]] = {
    "email": (r"@[^\s@]+(?:\.| ?[\[({] ?(?i:dot))|[\[({] ?(?i:at) ?[\])}]",),
    "iban": (r"[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2}",),
    "credit_card": (r"[0-9](?:[ -]?[0-9]){12}",),
    "ip_address": (r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2}",),
    "phone": (r"[0-9](?:[ ()./-]{0,3}[0-9]){6}",),
    "national_id": (rf"\b(?:{_SHAPES})\b", rf"\b(?i:{_NAMES})\b"),
}


def suspects(folded: pl.Series, kinds: Sequence[str]) -> dict[int, list[str]]:
    """The kinds that each suspicious text may hold, by its index; `folded` as `fold_odd` returns it."""
    found: dict[int, list[str]] = {}
    for kind in kinds:
        mask = folded.str.contains(_SCREENS[kind][0])
        for screen in _SCREENS[kind][1:]:
            mask |= folded.str.contains(screen)
        for index in mask.fill_null(False).arg_true():
            found.setdefault(index, []).append(kind)
    return dict(sorted(found.items()))
