"""What was in production when, who put it there and why: a chain of records in which each holds the hash of the last.

Nothing here reads or writes: an entry is made for the end of a given chain. A changed, removed or inserted entry breaks
the chain; entries cut off at the end do not, which is why the champion and a second copy are compared as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, Field

from lmforge.artifacts.artifact import Frozen
from lmforge.errors import InputError
from lmforge.hashing import hash_value

# A tag of a registered model is a column of 5,000 characters (SqlRegisteredModelTag in MLflow 3.17); an intent holds an
# entry and some more.
MAX_ENTRY_CHARS = 4000
MAX_WHY_CHARS = 1000
_FIRST = "0" * 64

Kind = Literal["promote", "rollback", "undone", "found"]


class Entry(Frozen):
    """One change of what is in production. `to_version` is None where nothing was before and a promotion was undone.

    `undone` follows a version that failed its self-test; `found` records an alias that was moved by other means.
    """

    number: int = Field(ge=1)
    time: AwareDatetime
    model: str
    kind: Kind
    who: str
    why: str
    from_version: str | None
    to_version: str | None
    gate: str | None = Field(description="hash of the gate's answer that allowed it")
    previous: str
    hash: str

    @property
    def own_hash(self) -> str:
        """The hash that belongs to what the entry says."""
        return hash_value(self.model_dump(mode="json", exclude={"hash"}))


class Span(NamedTuple):
    """A stretch of time with one champion; `until` is None while it lasts."""

    entry: Entry
    until: datetime | None


def next_entry(
    chain: Sequence[Entry],
    *,
    model: str,
    kind: Kind,
    who: str,
    why: str,
    to_version: str | None,
    gate: str | None = None,
    now: datetime | None = None,
) -> Entry:
    """The entry that comes after `chain`. Raises InputError for a reason that is too long to keep.

    A clock that was set back does not reorder history: no entry is older than the one before it.
    """
    last = chain[-1] if chain else None
    time = (now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    entry = Entry(
        number=len(chain) + 1,
        time=max(time, last.time) if last else time,
        model=model,
        kind=kind,
        who=who,
        why=why,
        from_version=last.to_version if last else None,
        to_version=to_version,
        gate=gate,
        previous=last.hash if last else _FIRST,
        hash="",
    )
    sealed = entry.model_copy(update={"hash": entry.own_hash})
    if len(why) > MAX_WHY_CHARS or len(sealed.model_dump_json()) > MAX_ENTRY_CHARS:
        raise InputError(f"the reason has {len(why)} characters; the ledger keeps {MAX_WHY_CHARS} in plain words")
    return sealed


def first_break(chain: Sequence[Entry]) -> str | None:
    """The first entry that does not follow from the one before it, with what is wrong; None for a whole chain."""
    last: Entry | None = None
    for number, entry in enumerate(chain, start=1):
        wrong = _break(entry, last, number)
        if wrong:
            return f"entry {number}: {wrong}"
        last = entry
    return None


def spans(chain: Sequence[Entry]) -> list[Span]:
    """The stretches of time between changes, oldest first; entries that changed nothing belong to the one before."""
    changes = [entry for entry in chain if entry.to_version != entry.from_version]
    ends: list[datetime | None] = [entry.time for entry in changes[1:]]
    return [Span(entry, until) for entry, until in zip(changes, [*ends, None], strict=False)]


def _break(entry: Entry, last: Entry | None, number: int) -> str | None:
    if entry.number != number:
        return f"missing; the next one that is there is {entry.number}"
    if entry.own_hash != entry.hash:
        return f"says {entry.hash[:16]} but its content has the hash {entry.own_hash[:16]}: it was changed"
    if entry.previous != (last.hash if last else _FIRST):
        return "does not name the hash of the entry before it: one of the two was replaced"
    if last is None:
        return None
    if entry.model != last.model:
        return f"belongs to {entry.model}, not to {last.model}"
    if entry.from_version != last.to_version:
        return f"starts from version {entry.from_version}, but version {last.to_version} was in production"
    return "is older than the entry before it" if entry.time < last.time else None
