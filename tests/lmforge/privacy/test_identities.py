"""National identification numbers: valid ones of every form in the list, and what only looks like one."""

from __future__ import annotations

import pytest

from lmforge.privacy.identities import FORMS, find_national_ids

NUMBERS = {
    "us.ssn": ["536-90-4399", "ssn: 536904399", "Social Security Number 536 90 4399"],
    "us.itin": ["912-90-3456"],
    "presidio:UkNinoRecognizer": ["AB 12 34 56 C", "AB123456C"],
    "presidio:DeSocialSecurityRecognizer": ["15070649C103", "15 070649 C 103"],
    "es.dni": ["54362315K", "54362315-K"],
    "es.nie": ["X-2482300-W"],
    "it.codicefiscale": ["RCCMNL83S18D969H", "RCC MNL 83S18 D969H"],
    "fr.nir": ["2 95 10 99 126 111 93", "295109912611193"],
    "br.cpf": ["390.533.447-05"],
    "ch.ssn": ["756.9217.0769.85"],
    "se.personnummer": ["880320-0016"],
    "fi.hetu": ["131052-308T"],
    "cn.ric": ["360426199101010071"],
    "mx.curp": ["BOXW310820HNERXN09"],
    "gb.nhs": ["NHS number 943 476 5870"],
    "de.idnr": ["Steuer-ID: 36 574 261 809"],
    "pl.pesel": ["44051401359 (PESEL)"],
    "nl.bsn": ["BSN 1112.22.333"],
    "in_.aadhaar": ["Aadhaar 2341 2341 2346"],
    "in_.pan": ["PAN ACUPA7085R"],
    "ca.sin": ["Social Insurance Number 123-456-782"],
    "au.tfn": ["TFN: 123 456 782"],
}
OTHERS = [
    "000-12-3456",  # never issued
    "912-40-3456",  # outside the range of tax numbers
    "ZZ 12 34 56 C",
    "BG123456C",
    "15070649C104",  # check digit
    "54362315A",
    "RCCMNL83S18D969A",
    "295109912611194",
    "390.533.447-06",
    "756.9217.0769.86",
    "880320-0017",
    "131052-308A",
    "360426199101010072",
    "943 476 5870",  # no word says what it is
    "2341 2341 2346",
    "2010 2011 2012",
    "123-456-782",
    "part 1-536-90-4399",
    "536-90-\n4399",
    "nhs 943 476 5871",
]


def test_every_form_has_an_example() -> None:
    assert {form.check for form in FORMS} == set(NUMBERS)


@pytest.mark.parametrize("text", [text for texts in NUMBERS.values() for text in texts])
def test_is_found(text: str) -> None:
    assert [found.kind for found in find_national_ids(f"It is {text}, they said.")] == ["national_id"]


@pytest.mark.parametrize("text", OTHERS)
def test_is_another_number(text: str) -> None:
    assert not list(find_national_ids(text))
