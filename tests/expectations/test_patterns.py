"""What is wrong with a text is found in many languages, and correct text of the same languages is left alone."""

from __future__ import annotations

import time
from typing import get_args

import ftfy.bad_codecs
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectations.patterns import mojibake, personal_data_left, repeated_lines
from lmforge.privacy.residue import RESIDUE
from lmforge.recipe.cleaning import PersonalDataKind

RIGHT = [
    "Les élèves français arrivent déjà à l’école, «É», dit-elle; «NÂGE»",
    "Größe über Straße, „Ä“ ist ein Buchstabe, »Ä« auch",
    "El niño mañana ¿qué? ¡olé!",
    "SÃO PAULO: São João não é só coração, ÂNGULO",
    "Zażółć gęślą jaźń",
    "Příliš žluťoučký kůň",
    "Şükrü İstanbul'da çalışıyor",
    "Привет, мир; как дела?",
    "Καλημέρα κόσμε",
    "你好世界",
    "こんにちは世界",
    "안녕하세요",
    "it’s “quoted” – and—dash… trademark™ © 2020 ✓ done → next, 20 °C, £5 €10 ½",
    "smile 😀 ok",
    "Tiếng Việt rất đẹp",
    "Íslenska þjóðin, ÐÐ",
    "pâté… «dé» «é»… à l'été: 5 °C",
]


def marked(expression: pl.Expr, *texts: str | None) -> list[bool | None]:
    return pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)}).select(expression.alias("x"))["x"].to_list()


@pytest.mark.parametrize("codec", ["sloppy-windows-1252", "latin-1"])
@pytest.mark.parametrize("text", RIGHT)
def test_text_in_the_wrong_encoding_is_found(text, codec):
    assert ftfy.bad_codecs.ok
    assert marked(mojibake(), text, text.encode().decode(codec)) == [False, True]


def test_a_mark_of_byte_order_is_found():
    assert marked(mojibake(), "ï»¿text", "ï¿½", None) == [True, True, None]


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_ascii_is_never_mojibake(text):
    assert marked(mojibake(), text) == [False]


KINDS = get_args(PersonalDataKind)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "write to jane.doe@example.org."),
        ("credit_card", "card: 4111-1111-1111-1111, thanks"),
        ("iban", "to DE89 3704 0044 0532 0130 00 please"),
        ("ip_address", "from 8.8.8.8 at night"),
        ("phone", "call +49 30 9018 20 00 now"),
        ("national_id", "SSN 536-90-4399"),
    ],
)
def test_personal_data_of_the_asked_kinds_is_recognised(kind, text):
    others = [other for other in KINDS if other != kind]
    assert marked(personal_data_left([kind]), text, "none", None) == [True, False, False]
    assert marked(personal_data_left(others), text) == [False]


@pytest.mark.parametrize(
    "text",
    ["<EMAIL>", "@decorator.name", "user@host", "1234 5678 9012 3456", "version 10.0.0.1", "4111 1111 1111 1112"],
)
def test_what_only_resembles_personal_data_is_not(text):
    assert marked(personal_data_left(KINDS), text) == [False]


def test_every_kind_of_the_recipe_has_a_test():
    assert set(KINDS) == set(RESIDUE)


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ("one line", False),
        ("", False),
        ("a\nb\nc\nd\na", False),
        ("a\nb\na", True),
        ("a\n\nb\n\nc\n\nd", False),
        ("a\n\na\n\nb\n\nc\n\nd", False),
        ("a\n\na\n\nb", True),
    ],
)
def test_repeated_lines_are_counted_without_empty_ones(text, repeated):
    assert marked(repeated_lines(), text) == [repeated]


@pytest.mark.parametrize("text", ["a@" * 50_000, "@" * 100_000, "4111 " * 20_000, "Ã" * 100_000, "a\n" * 50_000])
def test_time_is_linear_in_hostile_text(text):
    began = time.process_time()
    for expression in (mojibake(), personal_data_left(KINDS), repeated_lines()):
        marked(expression, text)
    assert time.process_time() - began < 1
