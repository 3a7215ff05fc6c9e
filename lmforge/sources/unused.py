"""Columns of the data that a recipe does not name: counted by name, so that a forgotten or mistyped one is seen.

Data decides what its columns are called, so names are escaped and cut, and never more than 100 are told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from lmforge.wording import shown

MAX_NAMES = 100
OTHERS = "(others)"
_MAX_NAME_CHARACTERS = 60
# Names are dropped in bulk, so that a row with new ones costs no sort of all.
_MAX_COUNTED = 10 * MAX_NAMES


def unused_columns(names: Iterable[str], wanted: Collection[str]) -> tuple[str, ...]:
    """The names that are not wanted, sorted and fit to be shown; of more than 100 the last one is `(others)`."""
    unused = sorted({shown(name, _MAX_NAME_CHARACTERS) for name in names if name not in wanted})
    return tuple(unused) if len(unused) <= MAX_NAMES else (*unused[: MAX_NAMES - 1], OTHERS)


def bounded(counts: Counter[str]) -> Counter[str]:
    """The 99 most frequent names, by name where they are equal, and the sum of the rest as `(others)`."""
    if len(counts) <= MAX_NAMES:
        return counts
    named = sorted((-number, name) for name, number in counts.items() if name != OTHERS)
    kept = {name: -number for number, name in named[: MAX_NAMES - 1]}
    return Counter(kept | {OTHERS: counts.total() - sum(kept.values())})


class UnusedColumns:
    """How many records have each column that nothing reads, in bounded memory.

    With more than a thousand names the numbers are lower bounds, because rare names are forgotten meanwhile.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, names: tuple[str, ...]) -> None:
        """Count the unused columns of one record."""
        self._counts.update(names)
        if len(self._counts) > _MAX_COUNTED:
            self._counts = bounded(self._counts)

    @property
    def counts(self) -> dict[str, int]:
        """Records by name of the column."""
        return dict(sorted(bounded(self._counts).items()))
