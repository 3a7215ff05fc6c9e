"""The page about the data is self-contained, escapes and masks what it shows, and repeats itself byte for byte."""

import json
import re
from html.parser import HTMLParser

import pytest

from lmforge.errors import InputError
from lmforge.reporting.data_report import data_report, render_data_report
from tests.lmforge.reporting.conftest import write_validation

VOID = {"meta", "br", "rect", "polyline"}


class Page(HTMLParser):
    """Tags in order, the addresses that they name, and what stays open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "srcset", "action", "data")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def document(data_run):
    return data_report("demo", "0123456789abcdef", data_run.made, data_run.reports)


@pytest.fixture(scope="module")
def page(document):
    return render_data_report(document, {"clean": "reports/clean/data_docs.html"})


def test_the_page_is_whole_and_loads_nothing(page):
    parsed = Page(page)
    assert parsed.open == []
    assert not {"script", "img", "link", "iframe", "object", "form", "i" + "mage"} & set(parsed.tags)
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:|\son[a-z]+=", page)
    anchors = {one[1:] for one in parsed.addresses if one.startswith("#")}
    assert anchors and anchors <= set(parsed.ids)
    assert [one for one in parsed.addresses if not one.startswith("#")] == ["reports/clean/data_docs.html"]


def test_hostile_text_is_shown_and_not_done(page):
    for raw in ("<script>", "\x1b", "\u202e", "<img src=x>", "<i>\\x1b", "<b>new"):
        assert raw not in page, raw
    for escaped in (
        "&lt;script&gt;alert(1)",
        r"\x1b[31m",
        r"\u202e",
        "&lt;img src=x&gt;",
        "CC0 &lt;i&gt;",
        "&lt;b&gt;new",
    ):
        assert escaped in page, escaped


def test_neither_a_secret_nor_personal_data_is_in_page_or_document(page, document):
    for text in (page, json.dumps(document)):
        assert "QWERTYUIOP" not in text
        assert "example-company" not in text


def test_the_same_artifacts_give_the_same_page(page, data_run):
    again = data_report("demo", "0123456789abcdef", dict(reversed(data_run.made.items())), data_run.reports)
    assert render_data_report(again, {"clean": "reports/clean/data_docs.html"}) == page
    assert render_data_report(json.loads(json.dumps(again)), {"clean": "reports/clean/data_docs.html"}) == page


@pytest.mark.parametrize(
    "words",
    ["Data of demo", "in_evaluation_set", "invalid_json", "twin-0", "27", "words of length_drift", "bidi",
     "label-topic, validation", "tokens in the vocabulary", "arrived", "not shown", "run of words: 27"],
)  # fmt: skip
def test_each_part_is_on_the_page(page, words):
    assert words in "".join(Page(page).words)


def test_a_suite_that_warned_is_at_the_head(page):
    assert "Passed, 4 warnings" in "".join(Page(page).words)


def test_charts_are_drawn_with_names_for_those_who_do_not_see_them(page):
    drawn = re.findall(r'<svg class="(\w+)"[^>]* role="img" aria-label="([^"]+)"', page)
    assert len([name for name, _ in drawn if name == "columns"]) == 8
    assert all(label for _, label in drawn)


def test_what_a_broken_promise_stopped_is_told(data_run, tmp_path):
    write_validation(tmp_path / "clean", "clean", "", passed=False)
    made = {name: data_run.made[name] for name in ("label-topic", "collect")}
    document = data_report("demo", "r", made, tmp_path)
    text = "".join(Page(render_data_report(document, {})).words)
    assert "Stopped at clean" in text
    assert "words of num_rows: 60, expected at least 10" in text
    assert (document["duplicates"], document["tokens"]) == (None, None)


def test_labelled_data_alone_make_a_page(data_run, tmp_path):
    document = data_report("demo", "r", {"label-topic": data_run.made["label-topic"]}, tmp_path)
    text = "".join(Page(render_data_report(document, {})).words)
    assert "There is no earlier corpus" in text
    assert "No document stood twice." in text


def test_a_run_without_data_says_where_to_look(tmp_path):
    with pytest.raises(InputError, match=r"run abc of demo has no data stage.*lmforge runs"):
        data_report("demo", "abc", {}, tmp_path)
