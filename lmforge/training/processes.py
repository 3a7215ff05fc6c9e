"""Processes that train one model together: how they meet, and what they tell each other.

With a single process everything here does nothing. Several are started by `lmforge.training.launching`, or by torchrun
when there is more than one machine. Whatever decides what comes next (stop, resume, a time) has to be agreed on here: a
process that goes another way than the others waits for them for ever.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import torch
import torch.distributed as dist

from lmforge.errors import InputError, TrainingError
from lmforge.training.launching import RENDEZVOUS, started_as_worker
from lmforge.training.stopping import StopRequest

# Longer than the writing of a large checkpoint, for which the others wait. A process that died is noticed at once, by
# its closed connections; this is for one that hangs.
TIMEOUT = timedelta(minutes=10)


class LostProcessError(TrainingError):
    """Another process of the run is gone; what it says is the reason, if it could say something."""


class Processes(NamedTuple):
    """The processes of a run, seen from one of them: `rank` of `size`, `num_local` of which are on this machine."""

    rank: int = 0
    size: int = 1
    num_local: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes metrics, checkpoints and the model."""
        return self.rank == 0

    def num_threads(self, total: int) -> int:
        """This process's part of the threads that a machine gives to the run."""
        return max(1, total // self.num_local)

    def highest(self, number: int) -> int:
        """The highest of the processes' numbers."""
        if self.size == 1:
            return number
        highest = torch.tensor(number)
        dist.all_reduce(highest, op=dist.ReduceOp.MAX)
        return int(highest)

    def summed(self, totals: dict[str, float]) -> dict[str, float]:
        """Totals by name, added up; a process may lack some of the names."""
        if self.size == 1:
            return totals
        parts: list[dict[str, float]] = [{}] * self.size
        dist.all_gather_object(parts, totals)
        names = dict.fromkeys(name for part in parts for name in part)
        return {name: sum(part.get(name, 0.0) for part in parts) for name in names}

    def told(self, value: Any) -> Any:
        """What the first process says; the others' `value` does not count."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def joined(num_processes: int) -> Iterator[Processes]:
    """Meet the other processes of the run, and part from them at the end.

    Raises InputError when there are not `num_processes` of them, LostProcessError when one of them is gone.
    """
    size = int(os.environ["WORLD_SIZE"]) if started_as_worker() else 1
    if size != num_processes:
        raise InputError(
            f"the spec has num_processes {num_processes}, but {size} started: let `python -m lmforge.training` start "
            "them, or make --nnodes times --nproc-per-node of torchrun that number"
        )
    if size == 1:
        yield Processes()
        return
    processes = Processes(int(os.environ["RANK"]), size, int(os.environ["LOCAL_WORLD_SIZE"]))
    _meet(processes)
    try:
        yield processes
    except RuntimeError as error:
        # Gloo has no type of its own for a connection that another process closed.
        if "gloo" not in str(error):
            raise
        raise LostProcessError(
            f"process {processes.rank} of {size}: another one ended or answers no more; "
            "start the run again to go on from its checkpoint"
        ) from error
    finally:
        # An interpreter that ends while gloo's threads run is aborted.
        dist.destroy_process_group()


def _meet(processes: Processes) -> None:
    if processes.num_local == processes.size:
        # Otherwise gloo listens on the interface of the host's name.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        init_method=os.environ.get(RENDEZVOUS, "env://"),
        rank=processes.rank,
        world_size=processes.size,
        timeout=TIMEOUT,
    )


class AgreedStop(StopRequest):
    """A request to stop that all processes follow after the same step: `pending` is what they last agreed on."""

    def __init__(self, own: StopRequest, processes: Processes) -> None:
        self.own, self.processes = own, processes
        self._agreed: int | None = None

    def leave_at_once(self) -> None:
        self.own.leave_at_once()

    def remember(self) -> None:
        self.own.remember()

    @property
    def pending(self) -> int | None:
        return self.own.pending if self.processes.size == 1 else self._agreed

    def agree(self) -> None:
        """Ask all processes; each must call it equally often."""
        if self.processes.size > 1:
            self._agreed = self.processes.highest(self.own.pending or 0) or None
