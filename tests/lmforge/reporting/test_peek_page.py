"""Peeks as people read them: 80 columns, whatever the records hold."""

import pytest
from rich.cells import cell_len

from lmforge.reporting.columns import WIDTH
from lmforge.reporting.peek_page import render_peek
from lmforge.reporting.peeking import peek


@pytest.mark.parametrize("stage", ["collect", "clean", "label-topic", "tokenize"])
def test_no_line_is_wider_than_the_terminal(data_run, stage):
    text = render_peek(peek(stage, data_run.made, 100, 0))
    assert max(map(cell_len, text.splitlines())) <= WIDTH
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_wide_and_long_words_are_folded():
    record = {"id": "漢" * 90, "place": "a:1", "text": "字" * 100 + "x" * 200}
    text = render_peek({"stage": "collect", "seed": 0, "num_records": 1, "records": [record]})
    assert max(map(cell_len, text.splitlines())) <= WIDTH
    assert text.count("字") == 100


def test_both_texts_stand_beside_each_other():
    record = {
        "id": "one",
        "split": "train",
        "before": "as it was read",
        "after": "as it is now",
        "masked": {"email": 2},
    }
    document = {"stage": "clean", "seed": 5, "num_changed": 9, "changed": [record], "num_rejected": 0, "rejected": []}
    lines = render_peek(document).splitlines()
    assert lines[0] == "clean: 1 of 9 changed records, seed 5"
    assert "  split train" in lines
    assert any("as it was read" in line and "as it is now" in line for line in lines)
    assert "  personal data masked: email 2" in lines
    assert lines[-1] == "clean: 0 of 0 rejected records, seed 5"


def test_markup_of_the_terminal_library_is_text():
    record = {"id": "[bold red]x[/]", "text": "[link=file:///etc]y[/link] :smile:"}
    text = render_peek({"stage": "label-a", "seed": 0, "num_records": 1, "records": [record]})
    assert "[bold red]x[/]" in text
    assert "[link=file:///etc]y[/link] :smile:" in text


def test_a_secret_has_no_text():
    rejected = {"reason": "secret", "place": "a:1", "detail": "x: aws_access_key", "excerpt": ""}
    document = {"stage": "clean", "seed": 0, "num_changed": 0, "changed": [], "num_rejected": 1, "rejected": [rejected]}
    assert "(no text to show)" in render_peek(document)


def test_long_documents_say_that_tokens_are_left_out():
    record = {"id": "a", "text": "t", "num_tokens": 1234, "tokens": ["[CLS]", "t"], "ids": [2, 7]}
    text = render_peek({"stage": "tokenize", "seed": 0, "num_records": 1, "records": [record]})
    assert "1,234 tokens: [CLS] t ..." in text
    assert "ids: 2 7 ..." in text
