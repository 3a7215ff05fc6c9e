"""The core schema of YAML 1.2."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.recipe.scalars import resolve_scalar


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "No",
        "on",
        "off",
        "yes",
        "y",
        "1_000",
        "2024-01-01",
        "1:30",
        "0b1",
        "1e",
        "e3",
        ".",
        "-",
        "0o8",
        "0xg",
        "nan",
        "inf",
        "١",
    ],
)
def test_what_older_yaml_would_convert_stays_text(text: str) -> None:
    assert resolve_scalar(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-2.5e+1", -25.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("1e999", math.inf),
    ],
)
def test_floats(text: str, value: float) -> None:
    result = resolve_scalar(text)
    assert isinstance(result, float)
    assert result == value


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("+7", 7), ("-12", -12), ("017", 17), ("0o17", 15), ("0x1F", 31)]
)
def test_integers(text: str, value: int) -> None:
    result = resolve_scalar(text)
    assert type(result) is int
    assert result == value


def test_constants() -> None:
    assert [resolve_scalar(text) for text in ("", "~", "null", "NULL")] == [None] * 4
    assert [resolve_scalar(text) for text in ("true", "False")] == [True, False]
    assert isinstance(nan := resolve_scalar(".nan"), float) and math.isnan(nan)


def test_numbers_too_long_to_convert_are_infinite() -> None:
    assert resolve_scalar("9" * 5000) == math.inf
    assert resolve_scalar("0." + "1" * 5000) == math.inf


@given(st.floats(allow_nan=False) | st.integers(-(2**63), 2**64))
def test_numbers_as_json_writes_them_keep_value_and_type(number: float) -> None:
    text = repr(number).replace("inf", ".inf")
    result = resolve_scalar(text)
    assert result == number
    assert type(result) is type(number)


@given(st.text())
def test_any_text_resolves(text: str) -> None:
    result = resolve_scalar(text)
    assert not isinstance(result, str) or result == text
