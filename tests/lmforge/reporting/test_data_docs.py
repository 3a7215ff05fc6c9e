"""The page of a validation is self-contained, escapes what it shows and never changes for the same result."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from lmforge.reporting.data_docs import render_data_docs

RESULT = {
    "suite": "clean_corpus",
    "promise": "Tokenizing can start.",
    "passed": False,
    "num_warnings": 1,
    "compared_with": "0123abcd",
    "num_failing_rows": 1234,
    "outcomes": [
        {
            "column": "num_rows",
            "expectation": "expect_column_min_to_be_between",
            "words": "number of documents",
            "observed": 33912,
            "limit": "at least 100",
            "verdict": "holds",
            "severity": "critical",
            "key": "expectations.clean_corpus.min_documents",
            "detail": "",
        },
        {
            "column": "empty_share",
            "expectation": "expect_column_max_to_be_between",
            "words": "share of documents without text",
            "observed": None,
            "limit": "at most 0",
            "verdict": "broken",
            "severity": "critical",
            "key": "",
            "detail": "could not be computed",
        },
        {
            "column": "length_drift",
            "expectation": "expect_column_max_to_be_between",
            "words": "drift of the text lengths",
            "observed": 0.5,
            "limit": "at most 0.25",
            "verdict": "warns",
            "severity": "warning",
            "key": "expectations.clean_corpus.max_length_drift",
            "detail": "",
        },
    ],
    "statistics": {"num_rows": 33912, "mean_words": 71.25, "kept_share": None},
    "offenders": [
        {
            "rule": "empty",
            "id": "'<b>1</b>'",
            "place": "a.jsonl:7",
            "note": "language en",
            "excerpt": "'</code><script>alert(1)</script><img src=x onerror=alert(1)>\"'",
        }
    ],
}


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


def test_page_shows_verdict_expectations_statistics_and_rows():
    text = Tags(render_data_docs(RESULT)).text
    for shown in (
        "clean_corpus",
        "Tokenizing can start.",
        "Failed",
        "3 expectations, 1 broken, 1 warning",
        "33,912",
        "71.25",
    ):
        assert shown in text
    for shown in ("at least 100", "could not be computed", "unknown", "a.jsonl:7", "language en"):
        assert shown in text
    assert "expectations.clean_corpus.min_documents" in text
    assert "Documents without text, the first 1" in text


def test_broken_expectations_come_first_and_warnings_next():
    page = render_data_docs(RESULT)
    places = [page.index(words) for words in ("without text", "drift of the text lengths", "number of documents")]
    assert places == sorted(places)


def test_page_says_what_was_compared_and_where_all_rows_are():
    page = Tags(render_data_docs(RESULT, "failing_rows.jsonl"))
    assert {"0123abcd", "failing_rows.jsonl", "holds 1,234"} <= set(page.text)
    assert [attrs["href"] for tag, attrs in page.seen if tag == "a"] == ["failing_rows.jsonl"]
    alone = " ".join(Tags(render_data_docs(RESULT | {"compared_with": ""})).text)
    assert "There is no earlier snapshot to compare with." in alone
    assert "failing_rows" not in alone


def test_a_row_without_an_excerpt_says_so():
    private = RESULT | {"offenders": [RESULT["offenders"][0] | {"excerpt": ""}]}
    assert "not shown" in Tags(render_data_docs(private)).text


@pytest.mark.parametrize(
    ("num_warnings", "words"), [(0, "Passed"), (1, "Passed, 1 warning"), (2, "Passed, 2 warnings")]
)
def test_warnings_are_part_of_the_verdict(num_warnings, words):
    result = RESULT | {"passed": True, "num_warnings": num_warnings, "offenders": []}
    assert words in Tags(render_data_docs(result)).text


def test_untrusted_text_is_shown_but_never_markup():
    page = Tags(render_data_docs(RESULT))
    assert not {"script", "img", "b", "link", "iframe"} & {tag for tag, _ in page.seen}
    assert any("<script>alert(1)</script>" in text for text in page.text)
    assert page.open == []


def test_page_loads_nothing():
    page = render_data_docs(RESULT)
    policies = [attrs["content"] for _, attrs in Tags(page).seen if "http-equiv" in attrs]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not re.search(r"https?:|url\(|@import|src=[^x]", page)
    assert not any({"src", "href", "style", "onerror"} & set(attrs) for _, attrs in Tags(page).seen)


def test_passing_page_has_no_table_of_rows_and_is_deterministic():
    result = RESULT | {"passed": True, "num_warnings": 0, "outcomes": RESULT["outcomes"][:1], "offenders": []}
    page = render_data_docs(result)
    assert page == render_data_docs(result)
    assert "Offending rows" not in page
    assert {"Passed", "1 expectation"} <= set(Tags(page).text)
    assert "prefers-color-scheme: dark" in page
