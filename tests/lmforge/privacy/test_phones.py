"""Telephone numbers by their plans; digits without a sign of being one are left alone."""

from __future__ import annotations

import pytest

from lmforge.errors import InputError
from lmforge.privacy.phones import check_regions, find_phones

REGIONS = ("US", "GB", "DE")
PHONES = {
    "(415) 555-2671": "(415) 555-2671",
    "1-800-758-8084!": "1-800-758-8084",
    "617.253.5339": "617.253.5339",
    "2024 415-555-2671 today": "415-555-2671",
    "+1 (650) 253-0000 ext. 123": "+1 (650) 253-0000 ext. 123",
    "tel:+49-30-901820": "+49-30-901820",
    "0049 30 901820": "0049 30 901820",
    "+33 1 23 45 67 89": "+33 1 23 45 67 89",
    "+81 3-3581-4111": "+81 3-3581-4111",
    "Telefon 030 / 12 34 56": "030 / 12 34 56",
    "Call 4155552671 now": "4155552671",
    "a,415-555-2671,b": "415-555-2671",
    "0151 23456789": "0151 23456789",
}
NO_PHONES = [
    "4155552671",
    "20240131 and 2018-01-01 and 2018-2019",
    "ISBN 0-13-110362-8, 978-0-13-110362-7, 0-201-07981-X",
    "<doi:10.1101/164889>",
    "JIS X 0208-1990",
    "0.6000000000000001, 0.7000000000000001",
    "1 2 3 4 5 6 7 8 9 10 11 12",
    "192.168.1.100",
    "order 415-555-2671",
    "415-555\n2671",
    "+1 000 000 0000",
]


@pytest.mark.parametrize(("text", "value"), PHONES.items())
def test_phone(text: str, value: str) -> None:
    assert [text[found.start : found.end] for found in find_phones(text, REGIONS)] == [value]


@pytest.mark.parametrize("text", NO_PHONES)
def test_no_phone(text: str) -> None:
    assert not list(find_phones(text, REGIONS))


def test_the_region_decides_on_national_numbers_only() -> None:
    assert not list(find_phones("Telefon 030 901820", ("US",)))
    assert list(find_phones("Telefon 030 901820", ("DE",)))
    assert list(find_phones("+49 30 901820", ()))


def test_unknown_region_is_refused_with_an_example() -> None:
    check_regions(REGIONS)
    with pytest.raises(InputError, match=r"phone_regions: UK is no region .* capitals, such as US, GB"):
        check_regions(("US", "UK"))
