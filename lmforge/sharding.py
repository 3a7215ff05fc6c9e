"""Work on a corpus shard by shard: each unit is an artifact of its own, and who runs it is decided elsewhere.

A unit's result is found again by content, so a stage that was killed, or that got a little more text, makes only the
units that are missing. The order and the bytes of the results never depend on the mapper.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lmforge.artifacts.artifact import Artifact
from lmforge.artifacts.store import Outcome, Request, Store, watched

logger = logging.getLogger("lmforge.stage")

Item = TypeVar("Item")
Result = TypeVar("Result")
# Calls a picklable function on each item, in one process or many, and yields the results in the order of the items.
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

_SECONDS_BETWEEN_LINES = 10.0


class Unit(Protocol):
    """A piece of a stage, small enough to be held in memory; it must survive pickling."""

    def request(self) -> Request:
        """What the store keeps the result under; every input that decides it, by content."""
        ...

    def build(self, out: Path) -> Outcome:
        """Fill the empty directory `out`."""
        ...


def in_turn(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    """The mapper that stays in this process and thread."""
    return map(function, items)


@dataclass(frozen=True)
class Workshop:
    """Where the units of a stage are kept and who makes them."""

    store: Store
    mapper: Mapper = in_turn

    def make(self, units: Sequence[Unit]) -> list[Artifact]:
        """The artifacts of the units, in order; those that the store holds are reused."""
        return self.map(partial(_make, self.store), units)

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """The results of a picklable function for each item, in order, with a line of progress now and then."""
        return list(_reported(self.mapper(function, items), len(items)))


def _make(store: Store, unit: Unit) -> Artifact:
    return store.get_or_build(*watched(unit.request, unit.build))[0]


def _reported(results: Iterable[Result], total: int) -> Iterator[Result]:
    started = last = time.monotonic()
    for done, result in enumerate(results, start=1):
        yield result
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES and done < total:
            last = now
            left = (now - started) / done * (total - done)
            logger.info("  %d of %d shards, about %.0f s left", done, total, left)
