"""Starts the processes of a run on this machine, as torchrun does, and says in one message how they ended.

Unlike torchrun nothing here listens beyond the loopback interface: the processes meet through a file. The launcher
keeps the exit code that the processes agree on (2 for bad input, 130 or 143 after a signal); one that dies ends all.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lmforge.training.stopping import PARENT, StopRequest

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure
    from torch.distributed.launcher.api import LaunchConfig

# Where the processes meet, as an init_method of torch.distributed; torchrun says it with MASTER_ADDR instead.
RENDEZVOUS = "LMFORGE_RENDEZVOUS"
# Names of torch's own, read by its agent.
_ERROR_FILE, _NO_STORE = "TORCHELASTIC_ERROR_FILE", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
_LOST = "LostProcessError"
# After a signal, or when one of them died, the processes finish their step and a checkpoint; then they are killed. Less
# than what the pipeline waits for this program.
SHUTDOWN_SECONDS = 20
WATCH_SECONDS = 1.0


def started_as_worker() -> bool:
    """Whether this process is one of several, started by `launch` or by torchrun."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def launch(spec_file: Path, num_processes: int, stop: StopRequest) -> int:
    """Run the training program in `num_processes` processes; returns its exit code."""
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import elastic_launch

    # The agent's loggers set their own levels; what it would say is said by us. The processes log for themselves.
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="lmforge-processes-") as directory:
        os.environ |= {RENDEZVOUS: f"file://{directory}/group", _NO_STORE: "1"}
        # DDP warns where it looked for unused parameters and there were none.
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        threading.Thread(target=_watch, args=(stop,), daemon=True).start()
        # The processes stop when this one is gone, as it does when the one that started it is gone.
        os.environ[PARENT] = str(os.getpid())
        try:
            elastic_launch(_config(Path(directory), num_processes), sys.executable)("-m", "lmforge.training", spec_file)
        except SignalException as stopped:
            return 128 + int(stopped.sigval)
        except ChildFailedError as failed:
            code, message = outcome(failed.failures.values(), num_processes)
            if message:
                print(message, file=sys.stderr)
            return code
    return 0


def report(message: object, reason: type[Exception]) -> None:
    """Print an error, or leave it to whoever started this process and its like, to be printed once for all."""
    path = os.environ.get(_ERROR_FILE)
    if path is None:
        print(message, file=sys.stderr)
        return
    extra = {"timestamp": str(int(time.time())), "py_callstack": "", "type": reason.__name__}
    detail = {"message": str(message), "extraInfo": extra}
    Path(path).write_text(json.dumps({"message": detail}), encoding="utf-8")


def outcome(failures: Iterable[ProcessFailure], num_processes: int) -> tuple[int, str]:
    """Exit code of the run, and what to print, from the processes that failed.

    One that was killed is the reason for what the others say, and theirs is the code 1.
    """
    failed = sorted(failures, key=lambda one: (one.timestamp, one.local_rank))
    # The launcher itself ends those that are left with SIGTERM.
    killed = [one for one in failed if one.exitcode < 0 and one.exitcode != -signal.SIGTERM]
    if killed:
        return 1, (
            f"process {killed[0].local_rank} of {num_processes} was ended by {killed[0].signal_name()}, and the others "
            "with it; start the run again to go on from its checkpoint. SIGKILL is often a lack of memory: lower "
            "global_batch_size or max_seq_length, or set micro_batch_size"
        )
    # The reason is with those that did not merely lose another.
    causes = [one for one in failed if one.exitcode > 0 and _said(one)[0] != _LOST] or failed
    said = dict.fromkeys(filter(None, (_said(one)[1] for one in causes)))
    code = causes[0].exitcode if causes else 1
    return (code if code > 0 else 128 - code), "\n".join(said)


def _said(failure: ProcessFailure) -> tuple[str, str]:
    """Type and text of the error that a process reported, both empty without one."""
    detail = failure.error_file_data.get("message")
    return (detail["extraInfo"].get("type", ""), detail["message"]) if isinstance(detail, dict) else ("", "")


def _config(directory: Path, num_processes: int) -> LaunchConfig:
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.launcher.api import LaunchConfig

    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_processes,
        run_id=directory.name,
        rdzv_backend="c10d",
        rdzv_endpoint=str(directory / "rendezvous"),
        rdzv_configs={"store_type": "file"},
        local_addr="127.0.0.1",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=str(directory / "logs")),
        shutdown_timeout=SHUTDOWN_SECONDS,
    )


def _watch(stop: StopRequest) -> None:
    """Ends the launcher, and with it the processes, when the process that started it is gone."""
    while stop.pending is None:
        time.sleep(WATCH_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
