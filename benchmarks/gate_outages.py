"""What a registry and its clients may do to each other while the champion changes, and how often it stays right.

The server is a real one. An action that took no harm from a fault is counted as soon as nothing that
`tests/outages.py` promises was broken by it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from gate_effects import Count

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tasks.ledgers import check_ledger
from tests.outages import Case, Registry, kill_server, lose_answer, served_registry
from tests.registries import NAME, copied, promote_at_once, register_at_once, with_champion

NUM_ROUNDS, NUM_REGISTRATIONS, NUM_PROMOTIONS = 5, 8, 4


def crowds() -> Iterator[Count]:
    """How many of several registrations at once get a version of their own, and of promotions a place in the ledger."""
    registered = promoted = 0
    with tempfile.TemporaryDirectory(prefix="gate-crowds-") as scratch:
        template = with_champion(Path(scratch) / "served")
        for number in range(NUM_ROUNDS):
            home = copied(template, Path(scratch) / str(number))
            new = register_at_once(home, NUM_REGISTRATIONS)[2:]
            registered += len(set(new))
            moves = promote_at_once(home, new[:NUM_PROMOTIONS])
            linear = all(after[0] == before[1] for before, after in pairwise(moves)) and check_ledger(home, NAME) == []
            # The first entry is that of the champion before them.
            promoted += len({after for _, after in moves[1:]} & set(new)) if linear else 0
    setting = "{} processes at once, {} times"
    rounds = (setting.format(one, NUM_ROUNDS) for one in (NUM_REGISTRATIONS, NUM_PROMOTIONS))
    yield _all("registered, each as a version of its own", next(rounds), NUM_ROUNDS * NUM_REGISTRATIONS, registered)
    yield _all("promoted, one after another: the ledger is linear", next(rounds), NUM_ROUNDS * NUM_PROMOTIONS, promoted)


def outages() -> Iterator[Count]:
    """At how many requests the server's answer may be lost, or the server be killed and started again."""
    with tempfile.TemporaryDirectory(prefix="gate-outages-") as scratch, served_registry(Path(scratch)) as registry:
        for name in registry.templates:
            case = registry.undisturbed(name)
            yield _all(
                f"answer of MLflow's server lost during a {name}: old or new, then finished", "every request",
                case.num_requests, _unharmed(registry, case),
            )  # fmt: skip
            yield _all(
                f"MLflow's server killed during a {name}, and started again: old or new, then finished",
                "every request that writes", case.num_writes,
                sum(not kill_server(registry, case, number) for number in range(1, case.num_writes + 1)),
            )  # fmt: skip


def _unharmed(registry: Registry, case: Case) -> int:
    found = [lose_answer(registry, case, number) for number in range(1, case.num_requests + 1)]
    # The client goes on without a few of the answers; were that many, the proxy would have lost none.
    assert sum(told for told, _ in found) > case.num_requests / 2, "too few lost answers were told"
    return sum(not wrong for _, wrong in found)


def _all(what: str, setting: str, draws: int, times: int) -> Count:
    return Count(what, setting, draws, times, draws, draws)
