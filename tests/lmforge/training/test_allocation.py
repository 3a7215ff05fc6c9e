"""Freed memory stays with the process; looked at in a process of its own, because nothing undoes it."""

import subprocess
import sys

SCRIPT = """
import resource
import torch
from lmforge.training.allocation import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
assert keep_freed_memory()
for _ in range(8):
    faults()
print(given_back, faults())
"""


def test_large_blocks_are_taken_again_without_page_faults():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    given_back, kept = map(int, done.stdout.split())
    assert given_back > 1000
    assert kept < given_back / 20
