"""Columns that nothing reads are named, and data cannot make the list of them long."""

from __future__ import annotations

from collections import Counter

from lmforge.sources.unused import MAX_NAMES, OTHERS, UnusedColumns, bounded, unused_columns


def test_names_are_sorted_and_without_the_wanted_ones() -> None:
    assert unused_columns(["url", "text", "date"], ["text", "id"]) == ("date", "url")
    assert unused_columns({"text": 1}, ["text"]) == ()


def test_a_name_is_escaped_and_cut() -> None:
    (name,) = unused_columns(["\x1b[2J" + "x" * 10_000], [])
    assert name == r"\x1b[2J" + "x" * 56 + "..."


def test_many_columns_of_one_record_are_cut() -> None:
    names = unused_columns([f"{number:05}" for number in range(5_000)], [])
    assert len(names) == MAX_NAMES
    assert names[-2:] == ("00098", OTHERS)


def test_the_most_frequent_names_are_kept_and_nothing_is_lost() -> None:
    counts = Counter({f"{number:03}": 1 + number % 7 for number in range(300)})
    found = bounded(counts)
    assert len(found) == MAX_NAMES
    assert found.total() == counts.total()
    kept = {name: number for name, number in found.items() if name != OTHERS}
    assert min(kept.values()) == max(number for name, number in counts.items() if name not in kept) == 5
    assert bounded(found) == found


def test_a_frequent_column_is_seen_among_names_that_never_come_again() -> None:
    counted = UnusedColumns()
    for number in range(5_000):
        counted.add((f"key {number}", "url"))
    assert counted.counts["url"] == 5_000
    assert len(counted.counts) == MAX_NAMES
    assert sum(counted.counts.values()) == 10_000
    assert list(counted.counts) == sorted(counted.counts)
