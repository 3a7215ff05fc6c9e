"""Stop a training run on a signal: at once while there is nothing to save, after the current step once there is.

A program that the pipeline started also stops when the pipeline's process is gone: after a `kill -9` nobody else would
stop it, and the next run would train in the same directory.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

PARENT = "LMFORGE_PARENT_PID"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):  # noqa: N818 - not an error: the run goes on when it is started again
    """Training stopped after a step, with a checkpoint; `number` is the signal that asked for it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")


class StopRequest:
    """Whether this process was asked to stop."""

    def __init__(self) -> None:
        self._number: int | None = None
        parent = os.environ.get(PARENT, "")
        self._parent = int(parent) if parent.isdigit() else None

    def leave_at_once(self) -> None:
        """From now on a signal ends the process with 128 + its number."""
        for number in _SIGNALS:
            signal.signal(number, self._leave)

    def remember(self) -> None:
        """From now on a signal is kept in `pending`."""
        for number in _SIGNALS:
            signal.signal(number, self._keep)

    @property
    def pending(self) -> int | None:
        """The signal to stop for, or None."""
        if self._number is None and self._parent is not None and os.getppid() != self._parent:
            self._number = signal.SIGTERM
        return self._number

    def _leave(self, number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def _keep(self, number: int, frame: FrameType | None) -> None:
        self._number = number
