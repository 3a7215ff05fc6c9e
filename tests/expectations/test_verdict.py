"""A verdict says what was observed, fails what could not be, and reads alike everywhere."""

from __future__ import annotations

import pytest

from expectations.suite import bounded
from expectations.verdict import in_words, not_compared, outcome_of

CHECK = bounded("empty_share", "share of empty texts", minimum=0, maximum=0.05, key="a.max_empty_share")


@pytest.mark.parametrize(
    ("severity", "observed", "success", "verdict", "detail"),
    [
        ("critical", 0.01, True, "holds", ""),
        ("critical", 0.1, False, "broken", ""),
        ("warning", 0.1, False, "warns", ""),
        ("critical", None, True, "broken", "could not be computed"),
        ("warning", None, True, "warns", "could not be computed"),
    ],
)
def test_what_fails_stops_or_warns_by_its_severity(severity, observed, success, verdict, detail):
    outcome = outcome_of(CHECK | {"severity": severity}, observed, success)
    assert (outcome.verdict, outcome.detail, outcome.severity) == (verdict, detail, severity)


def test_words_hold_value_detail_and_limit():
    outcome = outcome_of(CHECK | {"severity": "critical"}, None, False, "text is missing")
    assert in_words(outcome) == "share of empty texts: got unknown (text is missing), expected between 0 and 0.05"


def test_nothing_to_compare_with_is_neither_kept_nor_broken():
    outcome = not_compared(CHECK | {"severity": "critical"})
    assert (outcome.verdict, outcome.observed, outcome.key) == ("not compared", None, "a.max_empty_share")
