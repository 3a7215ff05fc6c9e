"""What a run is executed by: Python, libraries, the lock file, the processor and the number of threads.

Library versions alone are not enough to repeat a run: sums in another number of threads are added in another order, and
the last bits of the weights differ.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from lmforge.hashing import hash_file

LOCK = "constraints.txt"
_PROCESSORS = Path("/proc/cpuinfo")


def environment(code: Path) -> dict[str, Any]:
    """Python, machine, every installed distribution, and `lock`: the SHA-256 of constraints.txt, None without one.

    code: the directory that our packages are in. num_processors: those that this process may use.
    """
    lock = code / LOCK
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "lock": hash_file(lock) if lock.is_file() else None,
        "libraries": dict(sorted((one.name.lower(), one.version) for one in distributions())),
        "processor": _processor(),
        "num_processors": len(os.sched_getaffinity(0)),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
    }


def _processor() -> str | None:
    """Libraries choose their instructions by it."""
    if not _PROCESSORS.is_file():
        return platform.processor() or None
    lines = _PROCESSORS.read_text(encoding="utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What is not the same in two environments, by dotted name: `[recorded, now]`, None for what one lacks."""
    before, after = _flat(recorded), _flat(now)
    names = sorted(before.keys() | after.keys())
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    libraries = {f"libraries.{name}": version for name, version in values.get("libraries", {}).items()}
    return {name: value for name, value in values.items() if name != "libraries"} | libraries
