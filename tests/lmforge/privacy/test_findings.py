"""Overlapping findings: the longer one stays, then the more specific kind, whatever order they came in."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lmforge.privacy.findings import PLACEHOLDERS, Finding, without_overlaps

FINDINGS = st.builds(
    lambda start, length, kind: Finding(start, start + length, kind),
    st.integers(0, 50),
    st.integers(1, 20),
    st.sampled_from(sorted(PLACEHOLDERS)),
)


def test_longer_wins() -> None:
    findings = [Finding(4, 10, "credit_card"), Finding(0, 20, "phone")]
    assert without_overlaps(findings) == [Finding(0, 20, "phone")]


def test_of_the_same_length_the_specific_kind_wins() -> None:
    findings = [Finding(0, 11, "phone"), Finding(0, 11, "national_id")]
    assert without_overlaps(findings) == [Finding(0, 11, "national_id")]


def test_neighbours_both_stay() -> None:
    findings = [Finding(5, 9, "phone"), Finding(0, 5, "email")]
    assert without_overlaps(findings) == sorted(findings)


@given(st.lists(FINDINGS))
def test_nothing_overlaps_and_nothing_found_is_left_open(findings: list[Finding]) -> None:
    kept = without_overlaps(findings)
    assert kept == without_overlaps(findings[::-1])
    assert all(one.end <= other.start for one, other in pairwise(kept))
    for finding in findings:
        assert any(one.start < finding.end and finding.start < one.end for one in kept)
