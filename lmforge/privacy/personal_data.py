"""Personal data in texts, replaced by a placeholder that says of which kind it was.

The placeholders are ASCII words in angle brackets: they survive repair, no text has them by chance, and a model can
tell them from what people write. Markup must be taken out before, because they would be taken for it. Masking a masked
text changes nothing. Counts are all that is told of what was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from lmforge.privacy.accounts import find_credit_cards, find_ibans
from lmforge.privacy.addresses import find_emails, find_ip_addresses
from lmforge.privacy.findings import PLACEHOLDERS, Finding, without_overlaps
from lmforge.privacy.folding import fold, fold_odd
from lmforge.privacy.identities import find_national_ids
from lmforge.privacy.phones import check_regions, find_phones
from lmforge.privacy.screening import suspects

Finder = Callable[[str], Iterable[Finding]]

# A placeholder is a new neighbour, beside which something else can come to look like a number; never often in a row.
_MAX_PASSES = 8


@dataclass(frozen=True)
class Masked:
    """texts: as high as the input, null where it was. counts: findings of each kind asked for. changed: by text."""

    texts: pl.Series
    counts: dict[str, int]
    changed: pl.Series


def mask_personal_data(texts: pl.Series, kinds: Sequence[str], phone_regions: Sequence[str]) -> Masked:
    """Replace personal data of the kinds (keys of `PLACEHOLDERS`) by placeholders; linear in the length of the texts.

    phone_regions: ISO 3166 codes whose national way of writing telephone numbers is understood.
    Raises InputError for an unknown region.
    """
    check_regions(phone_regions)
    finders = _finders(phone_regions)
    counter: Counter[str] = Counter(dict.fromkeys(kinds, 0))
    places: list[int] = []
    masked: list[str] = []
    for index, found in suspects(fold_odd(texts), kinds).items():
        text = texts[index]
        replaced = _mask(text, [finders[kind] for kind in found], counter)
        if replaced != text:
            places.append(index)
            masked.append(replaced)
    changed = pl.Series("changed", [False]).new_from_index(0, len(texts))
    if places:
        # `scatter` writes into the series that it is called on.
        texts = texts.clone().scatter(places, masked)
        changed = changed.scatter(places, True)
    return Masked(texts, dict(counter), changed)


def _mask(text: str, finders: Sequence[Finder], counter: Counter[str]) -> str:
    for _ in range(_MAX_PASSES):
        folded = fold(text)
        findings = without_overlaps([finding for find in finders for finding in find(folded.text)])
        if not findings:
            break
        pieces, last = [], 0
        for finding in findings:
            start, end = folded.span(finding.start, finding.end)
            pieces += [text[last:start], PLACEHOLDERS[finding.kind]]
            last = end
            counter[finding.kind] += 1
        text = "".join(pieces) + text[last:]
    return text


def _finders(phone_regions: Sequence[str]) -> dict[str, Finder]:
    return {
        "email": find_emails,
        "iban": find_ibans,
        "credit_card": find_credit_cards,
        "national_id": find_national_ids,
        "ip_address": find_ip_addresses,
        "phone": partial(find_phones, regions=tuple(phone_regions)),
    }
