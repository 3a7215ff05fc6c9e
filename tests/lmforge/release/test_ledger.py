"""A chain that was touched anywhere is found broken there, and the champion of any moment is read from a whole one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from lmforge.errors import InputError
from lmforge.release.ledger import MAX_ENTRY_CHARS, Entry, first_break, next_entry, spans

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def chain_of(*moves, step=timedelta(days=1)):
    """Entries of (kind, version), one a day."""
    chain = []
    for number, (kind, version) in enumerate(moves):
        now = START + step * number
        chain.append(
            next_entry(
                chain, model="reviews", kind=kind, who="ann@host", why="it is better", to_version=version, now=now
            )
        )
    return chain


@pytest.fixture
def chain():
    return chain_of(("promote", "1"), ("promote", "2"), ("undone", "2"), ("rollback", "1"), ("found", "5"))


def test_a_chain_starts_from_nothing_and_names_what_was_before(chain):
    assert first_break([]) is None
    assert first_break(chain) is None
    assert [entry.number for entry in chain] == [1, 2, 3, 4, 5]
    assert [entry.from_version for entry in chain] == [None, "1", "2", "2", "1"]
    assert chain[0].previous == "0" * 64
    assert all(after.previous == before.hash for before, after in pairwise(chain))


def test_entries_survive_their_text(chain):
    assert [Entry.model_validate_json(entry.model_dump_json()) for entry in chain] == chain


CHANGES = {
    "time": START - timedelta(days=900),
    "model": "other",
    "kind": "promote",
    "who": "bob@host",
    "why": "it is worse",
    "from_version": "7",
    "to_version": "9",
    "gate": "f" * 64,
    "previous": "f" * 64,
    "number": 9,
}


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_a_changed_field_is_found_in_its_entry(chain, field):
    chain[3] = chain[3].model_copy(update={field: CHANGES[field]})
    assert first_break(chain).startswith("entry 4: ")


@pytest.mark.parametrize("field", sorted(set(CHANGES) - {"who", "why", "kind", "gate"}))
def test_an_entry_that_was_sealed_again_is_found_too(chain, field):
    forged = chain[3].model_copy(update={field: CHANGES[field]})
    chain[3] = forged.model_copy(update={"hash": forged.own_hash})
    assert first_break(chain).startswith(("entry 4: ", "entry 5: "))


def test_a_reason_that_was_replaced_and_sealed_again_breaks_the_next_link(chain):
    forged = chain[1].model_copy(update={"why": "because"})
    chain[1] = forged.model_copy(update={"hash": forged.own_hash})
    assert first_break(chain) == ("entry 3: does not name the hash of the entry before it: one of the two was replaced")


def test_missing_and_swapped_entries_are_found(chain):
    assert first_break(chain[:1] + chain[2:]) == "entry 2: missing; the next one that is there is 3"
    assert first_break(chain[1:]) == "entry 1: missing; the next one that is there is 2"
    assert first_break([chain[1], chain[0], *chain[2:]]).startswith("entry 1: ")


def test_a_clock_that_was_set_back_does_not_reorder_history():
    chain = chain_of(("promote", "1"), ("promote", "2"), step=timedelta(days=-3))
    assert chain[1].time == chain[0].time == START
    assert first_break(chain) is None


def test_spans_join_entries_that_changed_nothing(chain):
    found = spans(chain)
    assert [span.entry.to_version for span in found] == ["1", "2", "1", "5"]
    assert [span.until for span in found] == [START + timedelta(days=days) for days in (1, 3, 4)] + [None]
    assert spans([]) == []


def test_the_longest_entry_fits_into_a_tag_and_a_longer_reason_is_refused():
    facts = {"model": "m" * 256, "kind": "rollback", "who": "w" * 200, "to_version": "9" * 10, "gate": "f" * 64}
    longest = next_entry([], why="\u0001" * 300 + "ß" * 700, **facts)
    assert len(longest.model_dump_json()) <= MAX_ENTRY_CHARS
    for words in ("x" * 1001, "\u0001" * 900):
        with pytest.raises(InputError, match=f"the reason has {len(words)} characters; the ledger keeps 1000"):
            next_entry([], why=words, **facts)
