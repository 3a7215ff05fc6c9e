"""What people see of data is masked, escaped and short, and never a secret."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.reporting.excerpts import HIDDEN, masked, presentable, read_quarantine, shown_rejection
from lmforge.text.records import QuarantineWriter, Rejected

MAIL = "jane.doe@example-company.com"


def test_personal_data_is_masked_and_a_secret_left_out():
    texts = [f"write to {MAIL}", "the key is AKIAQWERTYUIOPASDFGH here", "plain", ""]
    assert presentable(texts) == ["write to <EMAIL>", HIDDEN, "plain", ""]
    assert masked([]) == []


def test_unprintable_characters_are_escaped_and_long_texts_cut():
    assert presentable(["a\x1b[31m\u202eb\n"]) == [r"a\x1b[31m\u202eb\n"]
    assert presentable(["x" * 200], limit=10) == ["x" * 10 + "..."]


def test_a_name_with_a_lone_surrogate_is_shown_escaped():
    assert presentable(["file\udc80.txt"]) == [r"file\udc80.txt"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=4))
def test_whatever_the_text_only_printable_characters_come_out(texts):
    shown = presentable(texts)
    assert len(shown) == len(texts)
    assert all(text.isprintable() for text in shown)
    assert presentable(texts) == shown


@pytest.mark.parametrize(
    "text",
    ["id\n123-45-6789 of somebody", f"x\x1b{MAIL}", f"tab\t{MAIL}\u202e", f"\U000e0041{MAIL}"],
    ids=["line break", "escape", "tab", "tag character"],
)
def test_an_escape_in_a_quarantine_does_not_hide_personal_data(text):
    entry = Rejected.of("invalid_json", "a.jsonl", 7, text, detail=f"id {MAIL}")
    told = shown_rejection({"reason": entry.reason, "source": entry.source, "line": 7, "excerpt": entry.excerpt,
                            "detail": entry.detail})  # fmt: skip
    assert "123-45-6789" not in told["excerpt"]
    assert "jane" not in told["excerpt"] + told["detail"]
    assert told["place"] == "a.jsonl:7"


def test_what_the_cut_of_a_quarantine_halves_is_not_shown():
    for start in range(100, 200, 7):
        text = "word " * (start // 5) + MAIL + " and more words behind it" * 4
        entry = Rejected.of("too_short", "a", 1, text)
        told = shown_rejection({"reason": "r", "source": "a", "line": 1, "excerpt": entry.excerpt, "detail": ""})
        assert "jane" not in told["excerpt"], start


def test_a_secret_has_no_excerpt_and_a_literal_backslash_stays(tmp_path):
    with QuarantineWriter(tmp_path) as quarantine:
        quarantine.write(Rejected.of("secret", "a", 1, "hidden words", detail="id: aws_access_key"))
        quarantine.write(Rejected.of("short", "a", 2, r"C:\users"))
    first, second = read_quarantine(tmp_path)
    assert json.loads((tmp_path / "quarantine.jsonl").read_text().splitlines()[0])["excerpt"] == first["excerpt"]
    assert shown_rejection(first)["excerpt"] == ""
    assert shown_rejection(second)["excerpt"] == r"C:\users"


def test_a_stage_without_a_quarantine_rejected_nothing(tmp_path):
    assert list(read_quarantine(tmp_path)) == []
