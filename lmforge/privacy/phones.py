"""Finder of telephone numbers, by the numbering plans of phonenumbers.

Almost any eight digits are a valid number somewhere. So digits count as a telephone number when they are written
internationally, when a word before them says so, or when they are grouped as their region groups them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from phonenumbers import SUPPORTED_REGIONS, Leniency, PhoneNumberMatch, PhoneNumberMatcher

from lmforge.errors import InputError
from lmforge.privacy.findings import Finding
from lmforge.wording import listed, shown

# 7 to 17 digits: the longest are 15 (ITU-T E.164) behind 00.
_CANDIDATE = re.compile(
    r"(?<![\w./@&%+-])[+(]{0,2}[0-9](?:[ ().\-/]{0,3}[0-9]){6,16}(?![0-9_A-WYZa-wyz])(?!\.[0-9]|-[0-9Xx])"
)
_INTERNATIONAL = re.compile(r"\(?(?:\+|00 ?[1-9]|011 ?[1-9])")
_GROUP = re.compile(r"[0-9]+")
_MAX_GROUPS = 7
# Room for `ext. 12345` behind a number.
_EXTENSION_CHARS = 14
_CONTEXT_CHARS = 32
_CONTEXT = re.compile(
    r"(?:\b(?:tel|telephone|telefon|téléphone|telefono|teléfono|phone|phones|fon|fone|ph|call|calls|calling|dial|fax|telefax"
    r"|mobile|mobil|mob|cell|cellular|cellphone|handy|hotline|sms|text|whatsapp|signal|ring|reach (?:me|us) (?:at|on)"
    r"|rufnummer|handynummer|portable|móvil|celular)\b|[☎☏✆\U0001f4de\U0001f4f1])[^0-9\n]{0,16}\Z",
    re.IGNORECASE,
)
_OTHER_NUMBER = re.compile(
    r"\b(?:isbn|issn|doi|iso|iec|jis|ieee|rfc|version|arxiv|pmid|serial|order|invoice|account|ticket|bug|pages?|pp)"
    r"\b[^0-9\n]{0,12}\Z",
    re.IGNORECASE,
)
_EDGES = re.compile(r"^[0-9./]\||\|(?:[0-9]|[-./][0-9Xx])")
# Versions and IP addresses; telephone numbers with dots have groups of two digits at least, and not three of them.
_DOTTED = re.compile(r"\.[0-9](?![0-9])|(?<![0-9])[0-9]\.|^\W*[0-9]{1,3}(?:\.[0-9]{1,3}){3}\W*$|^\W*[0-9]+\.[0-9]+$")
_MAX_TRIES = 5


def find_phones(text: str, regions: Sequence[str]) -> Iterator[Finding]:
    """Telephone numbers of a folded text, with their extension; `regions` as `check_regions` takes them."""
    for match in _CANDIDATE.finditer(text):
        before = text[max(0, match.start() - _CONTEXT_CHARS) : match.start()]
        international = _INTERNATIONAL.match(match[0]) is not None
        said = international or _CONTEXT.search(before) is not None
        if not (said or (_is_written_as_phone(match[0]) and _OTHER_NUMBER.search(before) is None)):
            continue
        window = text[match.start() : match.end() + _EXTENSION_CHARS].partition("\n")[0]
        for number in _numbers(window, regions, Leniency.VALID if said else Leniency.STRICT_GROUPING):
            # What begins in the room for an extension is cut off, and a candidate of its own.
            if number.start < len(match[0]) and (said or _is_written_as_phone(number.raw_string)):
                yield Finding(match.start() + number.start, match.start() + number.end, "phone")


def check_regions(regions: Sequence[str]) -> None:
    """Raises InputError for a region that no numbering plan is known of."""
    unknown = [region for region in regions if region not in SUPPORTED_REGIONS]
    if unknown:
        raise InputError(
            f"corpus.cleaning.phone_regions: {shown(unknown[0])} is no region with a numbering plan; "
            f"write ISO 3166 codes in capitals, such as {listed(('US', 'GB', 'DE', 'FR', 'IN'))}"
        )


def _numbers(window: str, regions: Sequence[str], leniency: int) -> list[PhoneNumberMatch]:
    for region in regions or (None,):
        numbers = [
            number
            for number in PhoneNumberMatcher(window, region, leniency, _MAX_TRIES)
            # The matcher also finds numbers within longer ones.
            if _EDGES.search(window[max(0, number.start - 1) : number.start] + "|" + window[number.end :]) is None
        ]
        if numbers:
            return numbers
    return []


def _is_written_as_phone(digits: str) -> bool:
    groups = _GROUP.findall(digits)
    if not 1 < len(groups) <= _MAX_GROUPS or _DOTTED.search(digits):
        return False
    return sum(map(len, groups)) >= (10 if len(groups) == 2 else 9)
