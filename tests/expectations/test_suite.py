"""A suite is data: the checks that follow from its rules, columns and bounds."""

from __future__ import annotations

import dataclasses

import pytest

from expectations.suite import RowRule, Suite, bounded

RULE = RowRule("empty", "text = ''", 0.25, "rows without text", key="some.key")


def test_rule_yields_one_bound_on_its_share():
    check = Suite("s", "p", rules=(RULE,)).checks[-1]
    assert check == {
        "type": "expect_column_max_to_be_between",
        "kwargs": {"column": "empty_share", "max_value": 0.25},
        "meta": {"words": "share of rows without text", "key": "some.key", "compares": False},
        "severity": "critical",
    }


@pytest.mark.parametrize(
    ("limits", "kind", "kwargs"),
    [
        ({"minimum": 1}, "expect_column_min_to_be_between", {"min_value": 1}),
        ({"maximum": 0}, "expect_column_max_to_be_between", {"max_value": 0}),
        ({"minimum": 0, "maximum": 1}, "expect_column_max_to_be_between", {"min_value": 0, "max_value": 1}),
    ],
)
def test_bounded_keeps_a_limit_of_zero(limits, kind, kwargs):
    check = bounded("c", "words", **limits)
    assert (check["type"], check["kwargs"]) == (kind, {"column": "c"} | kwargs)


def test_table_suites_first_check_that_there_is_a_fitting_table():
    columns = [check["kwargs"]["column"] for check in Suite("s", "p", {"text": "text"}, (RULE,)).checks]
    assert columns == ["num_unfit_columns", "num_rows", "empty_share"]
    facts_only = Suite("s", "p", expectations=(bounded("n", "words", minimum=1),))
    assert [check["kwargs"]["column"] for check in facts_only.checks] == ["n"]


def test_suite_without_promises_has_no_checks_that_could_pass():
    assert Suite("s", "p", {"text": "text"}).checks == ()


def test_only_what_the_recipe_names_warns():
    checks = Suite("s", "p", {"text": "text"}, (RULE, dataclasses.replace(RULE, key="")), warn=("key", "")).checks
    assert [check["severity"] for check in checks[2:]] == ["warning", "critical"]
    assert Suite("s", "p", rules=(RULE,), warn=("other",)).checks[0]["severity"] == "critical"


def test_suite_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RULE.max_share = 1.0  # type: ignore[misc]
