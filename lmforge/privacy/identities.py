"""Finder of national identification numbers: those with a checksum or an unmistakable form, others beside their name.

Left out on purpose: numbers whose validity depends on today's date (Belgium, Korea), because a result must not, and
numbers without a checksum that any product code could be (passports, driving licences).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from lmforge.privacy.findings import LEFT_EDGE, RIGHT_EDGE, Finding

_CONTEXT_BEFORE_CHARS = 48
_CONTEXT_AFTER_CHARS = 16


@dataclass(frozen=True)
class Form:
    """One way to write one number: `pattern` has no look-around, so that every engine of expressions takes it.

    check: module of python-stdnum that validates it, or `presidio:` and a recogniser. context: words of which one must
    stand near the number, empty where the form alone is enough.
    """

    pattern: str
    check: str
    context: str = ""


# What stdnum knows is asked there: importing presidio costs 5 s and 400 MB, so it answers for the other two only.
FORMS = (
    Form(r"[0-9]{3}-[0-9]{2}-[0-9]{4}", "us.ssn"),
    Form(r"9[0-9]{2}-[5-9][0-9]-[0-9]{4}", "us.itin"),
    Form(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]", "presidio:UkNinoRecognizer"),
    Form(r"[0-9]{2} ?[0-9]{6} ?[A-Z] ?[0-9]{3}", "presidio:DeSocialSecurityRecognizer"),
    Form(r"[0-9]{8}-?[A-HJ-NP-TV-Z]", "es.dni"),
    Form(r"[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]", "es.nie"),
    Form(
        r"[A-Z]{3} ?[A-Z]{3} ?[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2} ?[A-Z][0-9LMNP-V]{3}[A-Z]",
        "it.codicefiscale",
    ),
    Form(r"[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", "fr.nir"),
    Form(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", "br.cpf"),
    Form(r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}", "ch.ssn"),
    Form(r"(?:19|20)?[0-9]{6}[-+][0-9]{4}", "se.personnummer"),
    Form(r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]", "fi.hetu"),
    Form(r"[1-9][0-9]{16}[0-9X]", "cn.ric"),
    Form(r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]", "mx.curp"),
    Form(r"[0-9]{3}[ .]?[0-9]{2}[ .]?[0-9]{4}", "us.ssn", r"ssn|social security"),
    Form(r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}", "gb.nhs", r"nhs"),
    Form(r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", "de.idnr", r"steuer-?(?:id|identifikation\w*)|idnr|tax id"),
    Form(r"[0-9]{11}", "pl.pesel", r"pesel"),
    Form(r"[0-9]{4}[ .]?[0-9]{2}[ .]?[0-9]{3}", "nl.bsn", r"bsn|burgerservicenummer|sofinummer"),
    Form(r"[2-9][0-9]{3}[ -]?[0-9]{4}[ -]?[0-9]{4}", "in_.aadhaar", r"aadhaa?r|uidai"),
    Form(r"[A-Z]{5}[0-9]{4}[A-Z]", "in_.pan", r"pan|permanent account"),
    Form(r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}", "ca.sin", r"sin|social insurance"),
    Form(r"[0-9]{3} ?[0-9]{3} ?[0-9]{2,3}", "au.tfn", r"tfn|tax file"),
)
_FILLING = str.maketrans("", "", " .")


def find_national_ids(text: str) -> Iterator[Finding]:
    """National identification numbers of a folded text."""
    for form in FORMS:
        # The words are rarer than the numbers.
        if form.context and _context(form).search(text) is None:
            continue
        for match in _pattern(form).finditer(text):
            if _has_context(form, text, *match.span()) and _check(form.check)(match[0].translate(_FILLING)):
                yield Finding(*match.span(), "national_id")


def _has_context(form: Form, text: str, start: int, end: int) -> bool:
    nearby = text[max(0, start - _CONTEXT_BEFORE_CHARS) : start] + " " + text[end : end + _CONTEXT_AFTER_CHARS]
    return not form.context or _context(form).search(nearby) is not None


@cache
def _pattern(form: Form) -> re.Pattern[str]:
    return re.compile(f"{LEFT_EDGE}(?:{form.pattern}){RIGHT_EDGE}")


@cache
def _context(form: Form) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{form.context})\b", re.IGNORECASE)


@cache
def _check(name: str) -> Callable[[str], bool]:
    if not name.startswith("presidio:"):
        is_valid: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
        return is_valid
    # Loads torch and spaCy, which a corpus without a suspect never needs.
    from presidio_analyzer import predefined_recognizers

    recogniser = getattr(predefined_recognizers, name.removeprefix("presidio:"))()
    return lambda value: bool(recogniser.analyze(value, recogniser.supported_entities))
