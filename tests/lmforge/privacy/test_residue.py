"""Residue: each kind is counted by document before masking, none after, and look-alikes never."""

from __future__ import annotations

import polars as pl
import pytest

from lmforge.privacy.findings import PLACEHOLDERS
from lmforge.privacy.personal_data import mask_personal_data
from lmforge.privacy.residue import RESIDUE, residue

VALUES = {
    "email": "Jo <jo.doe@mail.example.com>, jo@example.org",
    "phone": "T: +44 20 7499 2264",
    "ip_address": "login from 66.218.66.88",
    "credit_card": "4111 1111 1111 1111",
    "iban": "DE89 3704 0044 0532 0130 00",
    "national_id": "is 536-90-4399.",
}
LOOKALIKES = [
    None,
    "",
    "4111 1111 1111 1112 and +44 00 0000 0000",
    "DE88 3704 0044 0532 0130 00 and 000-12-3456",
    "version 66.218.66.88, from 127.0.0.1 or 999.1.1.1, logo@2x.png",
    " ".join(PLACEHOLDERS.values()),
]


@pytest.mark.parametrize("kind", VALUES)
def test_documents_are_counted_by_kind(kind: str) -> None:
    texts = pl.Series([VALUES[kind], "plain", VALUES[kind]])
    assert residue(texts) == dict.fromkeys(RESIDUE, 0) | {kind: 2}
    assert residue(texts, ["email"]) == {"email": 2 if kind == "email" else 0}


def test_lookalikes_are_not_counted() -> None:
    assert residue(pl.Series(LOOKALIKES)) == dict.fromkeys(RESIDUE, 0)


def test_masking_leaves_none() -> None:
    masked = mask_personal_data(pl.Series(list(VALUES.values())), tuple(PLACEHOLDERS), ("US", "GB", "DE"))
    assert residue(masked.texts) == dict.fromkeys(RESIDUE, 0)
    assert not pl.Series(masked.texts).str.contains("|".join(RESIDUE.values())).any()


def test_every_kind_has_a_placeholder_and_a_residue() -> None:
    assert set(RESIDUE) == set(PLACEHOLDERS)
