"""Stop a training run on a signal: at once while there is nothing to save, after the current step once there is.

A program that the pipeline started also stops when the pipeline's process is gone: after a `kill -9` nobody else would
stop it, and the next run would train in the same directory. A step that outlasts the grace time is given up: the run
goes on from the checkpoint before it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

PARENT = "LMFORGE_PARENT_PID"
# Of the 10 s in which a stopped program ends; Kubernetes and systemd kill after 30 and 90.
GRACE_SECONDS = 8.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):  # noqa: N818 - not an error: the run goes on when it is started again
    """Training stopped after a step, with a checkpoint; `number` is the signal that asked for it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"stopped by {signal.Signals(number).name}")


class StopRequest:
    """Whether this process was asked to stop."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self.grace_seconds = grace_seconds
        self._number: int | None = None
        parent = os.environ.get(PARENT, "")
        self._parent = int(parent) if parent.isdigit() else None
        self._asked, self._done = threading.Event(), threading.Event()
        self._watch: threading.Thread | None = None

    def leave_at_once(self) -> None:
        """From now on a signal ends the process with 128 + its number."""
        self._done.set()
        for number in _SIGNALS:
            signal.signal(number, self._leave)

    def remember(self) -> None:
        """From now on a signal is kept in `pending`, and ends the process if that is not obeyed in time.

        A second signal changes nothing: the checkpoint is still written.
        """
        for number in _SIGNALS:
            signal.signal(number, self._keep)
        if self._watch is None:
            # Not an alarm: a handler in Python would wait for the end of a matrix product.
            self._watch = threading.Thread(target=self._leave_late, daemon=True)
            self._watch.start()

    @property
    def pending(self) -> int | None:
        """The signal to stop for, or None."""
        if self._number is None and self._parent is not None and os.getppid() != self._parent:
            self._keep(signal.SIGTERM, None)
        return self._number

    def _leave(self, number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def _keep(self, number: int, frame: FrameType | None) -> None:
        if self._number is None:
            self._number = number
            self._asked.set()

    def _leave_late(self) -> None:
        self._asked.wait()
        if not self._done.wait(self.grace_seconds):
            assert self._number is not None
            print(
                f"the step takes more than {self.grace_seconds:g} s: it is given up; what was done since the last "
                "checkpoint is done again",
                file=sys.stderr,
                flush=True,
            )
            os._exit(128 + self._number)
