"""Fields: a header that cannot be read is refused with what it holds and what was probably meant."""

from __future__ import annotations

import pytest

from lmforge.errors import InputError
from lmforge.sources.fields import Columns, check_header, missing_fields


def test_wanted_names_have_no_repeats() -> None:
    assert Columns("body", id="key", group="key").wanted == ["body", "key"]
    assert Columns().wanted == ["text"]


def test_a_file_may_lack_what_is_optional() -> None:
    columns = Columns("body", more=("language", "year"), optional=("language",))
    assert columns.wanted == ["body", "year"]
    assert columns.among(["body", "year"]).wanted == ["body", "year"]
    assert columns.among(["body", "year", "language"]).wanted == ["body", "language", "year"]


def test_a_good_header_passes_and_may_hold_more() -> None:
    check_header(["id", "text", "extra"], ["text", "id"], "a.csv")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["id", "text", "text"], "a.csv: the header names text more than once"),
        (["id", "Txt"], r"no field text; found id, Txt\. did you mean 'Txt' for 'text'\?"),
        (["id;text;label"], "parted by ';'"),
        (["id\ttext"], r"parted by '\\t'.*\.tsv"),
    ],
)
def test_a_bad_header_is_refused(header: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_header(header, ["text"], "a.csv")


def test_nothing_found_is_said() -> None:
    assert missing_fields(["text"], [], "a.jsonl") == "a.jsonl: no field text; found none."
