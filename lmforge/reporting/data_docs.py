"""Render the result of a validation as one self-contained HTML page.

The page shows text from the corpus, which is not trusted: everything is escaped, there is no script, and the page's
content policy forbids loading anything. Great Expectations' own Data Docs load styles from public servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).with_name("templates")


def render_data_docs(result: Mapping[str, Any]) -> str:
    """Return the page of one validation: the same result gives the same bytes.

    result: suite, promise, passed, outcomes (column, words, observed, limit, passed, key, detail, expectation),
    statistics (name -> number or None), offenders (rule, id, place, note, excerpt).
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = format_number
    titles = {outcome["column"].removesuffix("_share"): outcome["words"] for outcome in result["outcomes"]}
    return environment.get_template("data_docs.html").render(**result, titles=titles) + "\n"


def format_number(value: float | None) -> str:
    """Write a number for people: grouped digits for counts, six significant digits for the rest."""
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
