"""Settings of every process that computes: the same bits for the same computation, and cores left to others.

Intel's matrix library does not promise the first by itself: how threads share the work, and the sizes of caches that it
finds, may decide the order of its sums.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

_PROCESSORS = Path("/proc/cpuinfo")


@cache
def computing_settings() -> dict[str, str]:
    """Environment of every process that computes; it is read when a library is loaded or computes for the first time.

    OpenMP threads that wait spin for a moment: never is 5 % slower on an idle machine, for long is many times slower
    when another process wants the core.

    Intel oneMKL Developer Guide, "Obtaining Numerically Reproducible Results": AUTO keeps the fastest instructions on
    Intel's processors; on others it takes the slowest, so there the default stays.
    """
    settings = {"GOMP_SPINCOUNT": "50000", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    if _PROCESSORS.is_file() and "GenuineIntel" in _PROCESSORS.read_text(encoding="utf-8"):
        settings["MKL_CBWR"] = "AUTO"
    return settings


def training_settings() -> dict[str, str]:
    """Environment of the training program, which uses the same memory again at every step.

    glibc asks for pages of 2 MB where memory grows (Linux, "Transparent Hugepage Support"): fewer misses of the table
    of addresses make a step 4 % faster, most of all on virtual machines. What takes memory for a moment only, as
    tokenization does, is a tenth slower with them.
    """
    return computing_settings() | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def start_with_training_settings() -> None:
    """Start this program again where a setting is missing from its environment: some are read before Python is."""
    if missing := {name: value for name, value in training_settings().items() if name not in os.environ}:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | missing)  # noqa: S606


def compute_repeatably() -> None:
    """Let PyTorch take operations whose sums have one order; one that has no such form warns and is used all the same.

    It costs nothing measurable on a CPU.
    """
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    # It would fill memory that is about to be written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
