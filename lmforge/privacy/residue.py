"""Personal data that can still be recognised in a corpus: what a gate looks at after masking.

The tests are on purpose not those of the masking, so that a mistake there shows here. They are narrower, because a gate
that stops a run must not do so for a version number: after masking they find next to nothing, before it far from all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence

import phonenumbers
import polars as pl
from stdnum import iban, luhn
from stdnum.us import ssn

_QUAD = r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\b"
_TOP_LEVEL = r"(?:com|org|net|edu|gov|mil|info|biz|name|app|dev|[a-ik-z][a-z]|j[emop])"

# For a columnar engine: no look-around. The group is the value. A match alone is a suspicion: numbers have checksums.
RESIDUE: Mapping[str, str] = {
    "email": rf"\b([A-Za-z0-9][A-Za-z0-9._%+-]{{0,63}}@(?:[A-Za-z0-9-]{{1,63}}\.)+{_TOP_LEVEL})\b",
    "phone": r"(?:^|[^\w+./-])(\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{2,4}\)?){3,5})\b",
    "ip_address": rf"(?i)(?:https?://|\bfrom |\bip(?: address)?:? )({_QUAD})",
    "credit_card": r"(?:^|[^\w./-])((?:4[0-9]{3}|5[1-5][0-9]{2}|6011)(?:[ -][0-9]{4}){3}|4[0-9]{15}|5[1-5][0-9]{14})\b",
    "iban": r"(?:^|[^\w-])([A-Z]{2}[0-9]{2}(?: [A-Z0-9]{4}){3,7}(?: [A-Z0-9]{1,3})?|[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30})\b",
    "national_id": r"(?:^|[^\w./-])([0-9]{3}-[0-9]{2}-[0-9]{4})\b",
}


def residue(texts: pl.Series, kinds: Sequence[str] = tuple(RESIDUE)) -> dict[str, int]:
    """Number of texts with personal data of each kind (keys of `RESIDUE`), checksums and ranges taken into account."""
    return {kind: _num_texts(texts, RESIDUE[kind], _VALID[kind]) for kind in kinds}


def _num_texts(texts: pl.Series, pattern: str, is_valid: Callable[[str], bool]) -> int:
    suspects = texts.filter(texts.str.contains(pattern).fill_null(False))
    return sum(any(map(is_valid, _values(text, pattern))) for text in suspects)


def _values(text: str, pattern: str) -> list[str]:
    matches = pl.Series([text]).str.extract_all(pattern).explode()
    return [value for value in matches.str.extract(pattern, 1).to_list() if value]


def _is_phone(value: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value))
    except phonenumbers.NumberParseException:
        return False


def _is_public(value: str) -> bool:
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast


def _is_card(value: str) -> bool:
    return bool(luhn.is_valid(value.replace(" ", "").replace("-", "")))


def _is_iban(value: str) -> bool:
    return bool(iban.is_valid(value, check_country=False))


_VALID: Mapping[str, Callable[[str], bool]] = {
    "email": bool,
    "phone": _is_phone,
    "ip_address": _is_public,
    "credit_card": _is_card,
    "iban": _is_iban,
    "national_id": ssn.is_valid,
}
