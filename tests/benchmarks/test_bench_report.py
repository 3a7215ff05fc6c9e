"""Rows of a comparison: medians, goals, and what is missing is said."""

import pytest

from benchmarks.bench_report import Row, hardware, paired, table, versions


@pytest.mark.parametrize(
    ("values", "limits", "goal", "reached"),
    [
        ((4.0, 5.0, 3.0), {"at_least": 4}, "at least 4", True),
        ((3.9,), {"at_least": 4}, "at least 4", False),
        ((0.06,), {"at_most": 0.05}, "at most 0.05", False),
        ((1.0,), {"at_least": 0.98, "at_most": 1.02}, "0.98 to 1.02", True),
        ((1.1,), {"at_least": 0.98, "at_most": 1.02}, "0.98 to 1.02", False),
        ((7.0,), {}, "", None),
        ((), {"at_least": 4}, "at least 4", None),
    ],
)
def test_goals_are_judged_by_the_median(values, limits, goal, reached):
    row = Row("part", "name", values, **limits)
    assert (row.goal, row.reached) == (goal, reached)
    assert row.document()["reached"] is reached


def test_a_missing_peer_is_a_line_and_null():
    row = Row("near", "near_vs_gaoya", at_least=1.2, note="not installed: pip install gaoya")
    assert row.document()["median"] is None
    assert "| near_vs_gaoya | - |  | at least 1.2 |  | not installed: pip install gaoya |" in table([row])


def test_what_was_measured_once_is_compared_with_every_turn():
    assert paired([10.0], [1.0, 2.0]) == (10.0, 5.0)
    assert paired([10.0, 30.0], [1.0, 2.0]) == (10.0, 15.0)


def test_the_table_shows_the_spread():
    line = table([Row("part", "name", (2.0, 4.0, 3.0), at_least=4)]).splitlines()[-1]
    assert line == "| part | name | 3 | 2 to 4 | at least 4 | NO |  |"


def test_versions_and_hardware_are_named():
    assert versions(["polars"])["polars"]
    assert hardware()["num_cpus"] >= 1
