"""Screens: whatever a finder finds in a folded text, its screen lets pass."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.privacy.accounts import find_credit_cards, find_ibans
from lmforge.privacy.addresses import find_emails, find_ip_addresses
from lmforge.privacy.folding import fold_odd
from lmforge.privacy.identities import find_national_ids
from lmforge.privacy.phones import find_phones
from lmforge.privacy.screening import suspects

FINDERS = {
    "email": find_emails,
    "iban": find_ibans,
    "credit_card": find_credit_cards,
    "national_id": find_national_ids,
    "ip_address": find_ip_addresses,
    "phone": lambda text: find_phones(text, ("US", "GB", "DE")),
}
# fmt: off
PIECES = st.sampled_from([
    "jo", "@", "example", ".com", " [at] ", " (dot) ", "de", "415", "-", "555", "2671", " ", "(", ")", "+49", "/",
    ".", "tel ", "4111", "1111", "DE89", "3704", "0044", "0532", "0130", "00", "66.218", ".66.88", "2a00:1450:",
    ":200e", "NHS ", "943", "476", "5870", "536-90-4399", "54362315K", "٣", "٤", "\u200b", "\n", "RCCMNL83S18D969H",
    "ssn", "880320-0016",
])
# fmt: on


@given(st.lists(PIECES, max_size=12).map("".join))
@settings(max_examples=300, deadline=None)
def test_no_finding_is_screened_out(text: str) -> None:
    folded = fold_odd(pl.Series([text]))
    screened = suspects(folded, sorted(FINDERS)).get(0, [])
    assert {kind for kind, find in FINDERS.items() if list(find(folded[0]))} <= set(screened)


def test_only_suspects_are_named_in_order() -> None:
    texts = pl.Series(["call 415-555-2671", None, "nothing here, 3 of 4", "jo@example.com and NHS"])
    assert suspects(texts, ["phone", "email", "national_id"]) == {0: ["phone"], 3: ["email", "national_id"]}


@pytest.mark.parametrize("text", ["", "Version 2.14.1 of 2019-02-01", "std::vector<int> a(10)", "naïve café at 12:30"])
def test_ordinary_text_is_no_suspect_of_what_is_dear(text: str) -> None:
    assert suspects(pl.Series([text]), ["email", "iban", "credit_card", "national_id"]) == {}
