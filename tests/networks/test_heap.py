"""Freed memory stays while a fold trains, and goes back after."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from ethnicmer_lib.networks.fast_cpu import kept_memory

TOUCH = """
import contextlib, resource
import numpy as np
from ethnicmer_lib.networks.fast_cpu import kept_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize() / 2**20

np.ones(1)
start = resident()  # torch is imported and counts hundreds
for block in (contextlib.nullcontext, kept_memory):
    with block():
        np.ones(2**26, np.uint8)
        before = faults()
        for _ in range(5):
            np.ones(2**26, np.uint8)
        print(faults() - before)
print(resident() - start)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is on Linux")
def test_pages_are_taken_once_and_given_back():
    done = subprocess.run([sys.executable, "-c", TOUCH], capture_output=True, text=True, check=True)
    plain, kept, grown = map(float, done.stdout.split())
    pages = 2**26 / resource.getpagesize()
    if plain < 5:
        pytest.skip(
            "SKIPPED LOUDLY: this allocator keeps memory by itself, so that nothing can be seen of ours"
        )
    assert kept < plain / 4
    assert kept < pages / 10
    assert grown < 32, "an array of 64 MiB was not given back"


def test_what_is_raised_inside_comes_out():
    with pytest.raises(KeyError), kept_memory():
        raise KeyError("fold")
