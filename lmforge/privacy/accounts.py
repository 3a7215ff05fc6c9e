"""Finders of payment card numbers and IBANs; both must pass their checksum.

The checksums are those of python-stdnum: the recogniser of presidio writes an IBAN that it cannot read into the log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import iban, luhn

from lmforge.privacy.findings import LEFT_EDGE, RIGHT_EDGE, Finding

_CARD = re.compile(rf"{LEFT_EDGE}[2-6][0-9](?:[ -]?[0-9]){{11,17}}{RIGHT_EDGE}")
# Issuer prefixes with their lengths (ISO/IEC 7812): Visa, Mastercard, American Express, Discover, JCB, Diners, Maestro,
# UnionPay.
_ISSUED = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    r"|3[47][0-9]{13}"
    r"|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"
    r"|(?:5018|5020|5038|6304|6759|676[1-3])[0-9]{12}|62[0-9]{14,17}"
)
# Printed in groups of four, except American Express and Diners (4-6-5, 4-6-4); other groups are other numbers.
_GROUPED = re.compile(r"[0-9]+|[0-9]{4}(?:([ -])[0-9]{4}){2,3}(?:[ -][0-9]{1,4})?|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}")

_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?!\w)")
_GROUP_END = re.compile(r"(?<=[A-Z0-9])(?=[ -]|\Z)")
_SEPARATORS = str.maketrans("", "", " -")


def find_credit_cards(text: str) -> Iterator[Finding]:
    """Card numbers of a folded text: an issuer's prefix and length, the usual groups, and a valid Luhn digit."""
    for match in _CARD.finditer(text):
        digits = match[0].translate(_SEPARATORS)
        if _ISSUED.fullmatch(digits) and _GROUPED.fullmatch(match[0]) and luhn.is_valid(digits):
            yield Finding(*match.span(), "credit_card")


def find_ibans(text: str) -> Iterator[Finding]:
    """IBANs of a folded text, in capitals: a country's structure and valid check digits (ISO 13616)."""
    for match in _IBAN.finditer(text):
        # A following word in capitals or number can look like one more group.
        for end in reversed([group.start() for group in _GROUP_END.finditer(match[0])]):
            if iban.is_valid(match[0][:end].translate(_SEPARATORS), check_country=False):
                yield Finding(match.start(), match.start() + end, "iban")
                break
