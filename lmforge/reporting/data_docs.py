"""Render the result of a validation as one self-contained HTML page.

The page shows text from the corpus, which is not trusted: everything is escaped, there is no script, and the page's
content policy forbids loading anything. Great Expectations' own Data Docs load styles from public servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmforge.reporting.pages import render_page

# In the order in which a reader wants them.
_VERDICTS = ("broken", "warns", "not compared", "holds")


def render_data_docs(result: Mapping[str, Any], failing_rows: str = "") -> str:
    """Return the page of one validation: the same result gives the same bytes.

    result: suite, promise, passed, num_warnings, compared_with, outcomes (column, words, observed, limit, verdict,
    severity, key, detail, expectation), statistics (name -> number or None), offenders (rule, id, place, note, excerpt)
    and num_failing_rows. failing_rows: name of the file beside the page that holds them all, empty where there is none.
    """
    titles = {outcome["column"].removesuffix("_share"): outcome["words"] for outcome in result["outcomes"]}
    ordered = sorted(result["outcomes"], key=lambda outcome: _VERDICTS.index(outcome["verdict"]))
    context = {**result, "outcomes": ordered, "titles": titles, "failing_rows": failing_rows}
    return render_page("data_docs.html", context, {})
