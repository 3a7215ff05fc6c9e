"""Columns become keys of slices by what they hold, and what nobody may see is in none of them."""

from __future__ import annotations

from collections import Counter

import pytest

from lmforge.text.slicing import MAX_VALUES, slice_values


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["web", " web ", "mail"], ["web", "web", "mail"]),
        ([True, False, None], ["true", "false", "(none)"]),
        (["", "  ", float("nan"), None, "a"], ["(none)"] * 4 + ["a"]),
        ([3, 3.0, "3", -1], ["3", "3", "3", "-1"]),
        (["1e3", "20"], ["1000", "20"]),
        (["007", "agent"], ["007", "agent"]),
        (["a\x1b[2J", "\ud800"], ["a\\x1b[2J", "\\ud800"]),
        ([None, None], ["(none)", "(none)"]),
        ([], []),
    ],
)
def test_few_values_stay_as_they_are(values, expected):
    assert slice_values(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2024-04-30", "2026-03-01T09:00:00+00:00", None], ["2024-04", "2026-03", "(none)"]),
        (["2024-03-31", "2026-03-01 09:00"], ["2024", "2026"]),
        (["2026-03-01", "soon"], ["2026-03-01", "soon"]),
        (["2026-13-01", "2026-03-01"], ["2026-13-01", "2026-03-01"]),
    ],
)
def test_dates_become_months_below_two_years_and_years_above(values, expected):
    assert slice_values(values) == expected


def test_many_numbers_become_quartiles_of_about_equal_size():
    cut = slice_values([str(number) for number in range(100)] + [None])
    assert Counter(cut) == {
        "q1: 0 to 24": 25, "q2: 25 to 49": 25, "q3: 50 to 74": 25, "q4: 75 to 99": 25, "(none)": 1,
    }  # fmt: skip
    assert set(slice_values([0.5, 1.5, 2.5, 3.5])) == {"q1: 0.5 to 0.5", "q2: 1.5 to 1.5", "q3: 2.5 to 2.5",
                                                       "q4: 3.5 to 3.5"}  # fmt: skip


def test_a_number_that_stands_for_half_of_all_is_one_quartile():
    cut = slice_values([0.0] * 60 + [number + 0.5 for number in range(40)])
    assert cut[:60] == ["q1: 0 to 0"] * 60
    assert len(set(cut)) == 3


def test_a_number_that_is_none_leaves_the_column_as_text():
    assert slice_values(["1.5", "inf"]) == ["1.5", "inf"]


def test_of_too_many_values_the_largest_keep_their_names():
    values = ["common"] * 3 + [f"v{number:03}" for number in range(MAX_VALUES + 5)] + [None]
    cut = slice_values(values)
    assert len(set(cut)) == MAX_VALUES + 2
    assert cut[:3] == ["common"] * 3
    assert Counter(cut)["(other)"] == 6
    assert cut[3] == "v000"
    assert cut[-1] == "(none)"


def test_personal_data_and_secrets_share_a_slice_without_a_name():
    values = ["jane.doe@example.com", "web", "ghp_" + "aB3dE5fG7h" * 3 + "aB3dE5", "+49 30 901820"]
    assert slice_values(values, ("DE",)) == ["(private)", "web", "(private)", "(private)"]


def test_long_values_are_the_same_where_their_beginning_is():
    first, second = slice_values(["a" * 100, "a" * 90])
    assert first == second == "a" * 80 + "..."
