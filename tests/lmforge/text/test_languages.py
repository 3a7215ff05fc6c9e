"""Language identification: right for clear text, undetermined for short text, and codes checked."""

from __future__ import annotations

import pytest

from lmforge.errors import InputError
from lmforge.text.languages import LEADING_CHARS, check_languages, identify

TEXTS = {
    "en": "The committee will publish its report on the state of the roads next week.",
    "de": "Der Ausschuss wird seinen Bericht über den Zustand der Straßen nächste Woche vorlegen.",
    "fr": "La commission publiera la semaine prochaine son rapport sur l'état des routes.",
    "ru": "Комиссия опубликует свой доклад о состоянии дорог на следующей неделе.",
}


@pytest.mark.parametrize(("language", "text"), TEXTS.items(), ids=TEXTS)
def test_clear_text_is_identified(language: str, text: str) -> None:
    assert identify(text, 0.5) == language


@pytest.mark.parametrize("text", ["", "Hello", "Guten Tag, Welt"])
def test_short_text_is_undetermined(text: str) -> None:
    assert identify(text, 0.0) == "und"


def test_a_probability_below_the_threshold_is_undetermined() -> None:
    assert identify("x1 y2 z3 q4 w5 e6 r7 t8", 0.999) == "und"


def test_only_the_start_decides() -> None:
    start = (TEXTS["en"] + " ") * 3
    assert len(start) > LEADING_CHARS
    assert identify(start + TEXTS["ru"] * 20, 0.5) == "en"


def test_unknown_codes_are_named_together() -> None:
    check_languages(["en", "de"])
    with pytest.raises(InputError, match=r"unknown english, xx; write codes of ace, af, .*\bzu\b"):
        check_languages(["english", "en", "xx"])
