"""Masking: placeholders by kind, counts, everything else untouched, and no value in anything but the texts."""

from __future__ import annotations

import logging
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.privacy.findings import PLACEHOLDERS
from lmforge.privacy.personal_data import mask_personal_data
from lmforge.text.repairing import repair

KINDS = tuple(PLACEHOLDERS)
REGIONS = ("US", "GB", "DE")


def _mask(*texts: str | None, kinds: tuple[str, ...] = KINDS) -> list[str | None]:
    return mask_personal_data(pl.Series(texts, dtype=pl.String), kinds, REGIONS).texts.to_list()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail jo@example.com or jo.doe@example.org", "mail <EMAIL> or <EMAIL>"),
        ("pay DE89 3704 0044 0532 0130 00 today", "pay <IBAN> today"),
        ("card 4111-1111-1111-1111, exp 12/29", "card <CREDIT_CARD>, exp 12/29"),
        ("SSN 536-90-4399", "SSN <NATIONAL_ID>"),
        ("from 66.218.66.88 port 22", "from <IP_ADDRESS> port 22"),
        ("call +1 415 555 2671!", "call <PHONE>!"),
        ("call ٤١٥-٥٥٥-٢٦٧١ now", "call <PHONE> now"),
        ("電話 ０３０－９０１８２０、jo＠example．com", "電話 ０３０－９０１８２０、<EMAIL>"),
        ("jo\u200b@exam\u00adple.com\u200b!", "<EMAIL>\u200b!"),
        ("card 4111\u00a01111\u20111111\u00a01111", "card <CREDIT_CARD>"),
        ("card 4111\u00a01111\u00a01111\u00a01111", "card <CREDIT_CARD>"),
        ("jo@\nexample.com", "jo@\nexample.com"),
    ],
)
def test_is_replaced(text: str, masked: str) -> None:
    assert _mask(text) == [masked]


def test_counts_and_changes_are_told_and_nulls_kept() -> None:
    texts = pl.Series("text", ["jo@example.com, jo@example.org", None, "plain", "66.218.66.88"])
    masked = mask_personal_data(texts, ("email", "phone", "ip_address"), REGIONS)
    assert masked.counts == {"email": 2, "phone": 0, "ip_address": 1}
    assert masked.changed.to_list() == [True, False, False, True]
    assert masked.texts.to_list() == ["<EMAIL>, <EMAIL>", None, "plain", "<IP_ADDRESS>"]
    assert texts[0] == "jo@example.com, jo@example.org"


def test_only_the_kinds_asked_for() -> None:
    assert _mask("jo@example.com 66.218.66.88", kinds=("ip_address",)) == ["jo@example.com <IP_ADDRESS>"]
    assert _mask("jo@example.com", kinds=()) == ["jo@example.com"]


@pytest.mark.parametrize("texts", [[], [None], [""]])
def test_nothing_in_nothing_out(texts: list[str | None]) -> None:
    masked = mask_personal_data(pl.Series(texts, dtype=pl.String), KINDS, REGIONS)
    assert masked.texts.to_list() == texts
    assert masked.changed.to_list() == [False] * len(texts)


def test_unknown_region_stops_before_any_text() -> None:
    with pytest.raises(InputError, match="phone_regions"):
        mask_personal_data(pl.Series([], dtype=pl.String), (), ("XX",))


def test_placeholders_survive_repair() -> None:
    text = " ".join(PLACEHOLDERS.values())
    assert repair(text) == text


# fmt: off
PIECES = st.sampled_from([
    "jo", "@", "example.com", " at ", "<EMAIL>", "<PHONE>", "415", "555", "2671", "-", " ", "(", ")", "+", "49",
    "30", ".", "/", "4111", "1111 ", "DE89", "3704 ", "66.218.66.88", "2a00:1450::", "tel ", "ssn ", "536-90-4399",
    ",", "\n", "\u200b", "٣",
])
# fmt: on


@given(st.one_of(st.text(), st.lists(PIECES, max_size=16).map("".join)))
@settings(max_examples=300, deadline=None)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = _mask(text)
    assert _mask(*once) == once


@pytest.mark.parametrize(
    "unit", ["(", "1", "a@", "a@b.", "1 ", "(1", "+1 ", "1.", "2001:", "AB12 ", "4111 ", "1\u200b", "[at]a ", "ssn 1"]
)
def test_time_is_linear_in_repeats(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    _mask("call 415-555-2671")
    started = time.process_time()
    assert len(_mask(text)) == 1
    # A quadratic pattern takes minutes here; a loaded machine may take several times what is usual (0.1 to 2 s).
    assert time.process_time() - started < 15


def test_a_canary_is_in_no_log_count_or_representation(caplog: pytest.LogCaptureFixture) -> None:
    canaries = ["canary7731@example.com", "415-555-2671", "4111111111111111", "DE89370400440532013000", "536-90-4399"]
    with caplog.at_level(logging.DEBUG):
        masked = mask_personal_data(pl.Series([f"x {canary} y" for canary in canaries]), KINDS, REGIONS)
    said = caplog.text + repr(masked) + str(masked.counts)
    assert all(masked.changed)
    assert not [canary for canary in canaries if canary in said]
