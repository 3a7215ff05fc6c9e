"""Card numbers and IBANs: a wrong check digit, a wrong prefix or odd groups, and it is another number."""

from __future__ import annotations

import pytest

from lmforge.privacy.accounts import find_credit_cards, find_ibans

CARDS = ["4111 1111 1111 1111", "4111111111111111", "5555-5555-5555-4444", "3782 822463 10005", "6011111111111117"]
NO_CARDS = [
    "4111 1111 1111 1112",  # check digit
    "9111111111111111",  # no issuer
    "41 11 11 11 11 11 11 11",  # groups of two
    "id-4111111111111111",
    "x4111111111111111",
    "0.4111111111111111",
    "/4111111111111111/",
    "4111 1111\n1111 1111",
]
IBANS = [
    "DE89 3704 0044 0532 0130 00",
    "DE89370400440532013000",
    "GB82WEST12345698765432",
    "FR14 2004 1010 0505 0001 3M02 606",
]
NO_IBANS = [
    "DE88370400440532013000",
    "XX89370400440532013000",
    "ADE89370400440532013000",
    "BAE5C34E5C3B9DC60DFC4D93B85D8BB1",
]


@pytest.mark.parametrize("value", CARDS)
def test_card(value: str) -> None:
    assert [tuple(found) for found in find_credit_cards(f"card: {value}.")] == [(6, 6 + len(value), "credit_card")]


@pytest.mark.parametrize("text", NO_CARDS)
def test_no_card(text: str) -> None:
    assert not list(find_credit_cards(text))


@pytest.mark.parametrize("value", IBANS)
def test_iban_also_before_what_looks_like_a_group(value: str) -> None:
    for after in ("", ".", " 2024", " BANK", ", please"):
        assert [tuple(found) for found in find_ibans(f"to {value}{after}")] == [(3, 3 + len(value), "iban")]


@pytest.mark.parametrize("text", NO_IBANS)
def test_no_iban(text: str) -> None:
    assert not list(find_ibans(text))
