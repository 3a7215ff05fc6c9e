"""What the HTML pages share: strict, escaping templates and numbers for people."""

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from lmforge.reporting.pages import TEMPLATES, format_number, render_page


def test_a_name_that_a_template_misses_is_an_error():
    with pytest.raises(UndefinedError, match="suite"):
        render_page("data_docs.html", {}, {})
    with pytest.raises(TemplateNotFound):
        render_page("no_such.html", {}, {})


@pytest.mark.parametrize("template", ["data_report.html", "gate.html"])
def test_pages_share_one_style(template):
    source = (TEMPLATES / template).read_text(encoding="utf-8")
    assert source.count('{% include "page.css" %}') == 1
    own = source.partition("<style>")[2].partition("</style>")[0]
    shared = (TEMPLATES / "page.css").read_text(encoding="utf-8").splitlines()
    rules = {line for line in shared if line.endswith("}") and not line.startswith((" ", "}"))}
    assert len(rules) > 30
    assert not rules & set(own.splitlines())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (0, "0"),
        (1234567, "1,234,567"),
        (0.05, "0.05"),
        (0.0500004, "0.0500004"),
        (1.0, "1"),
        (1e-9, "1e-09"),
    ],
)
def test_numbers_are_written_for_people(value, text):
    assert format_number(value) == text
