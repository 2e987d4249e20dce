"""Memory that training frees stays with the process for its next step, where the C library is glibc."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# <malloc.h>: names of mallopt's parameters, and glibc's own values of them.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_OURS = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1}
_DEFAULT = {_MMAP_MAX: 65536, _TRIM_THRESHOLD: 128 * 1024}


@contextmanager
def kept_memory() -> Iterator[None]:
    """Keep freed memory until the end of the block, then give it back; does nothing where there is no glibc.

    The activations of one training step are hundreds of megabytes, allocated and freed again in every step.  By default
    glibc takes each large array from the system and gives it back at once, and the system fills every page with
    zeros: at 224 px about a fifth of the time of training ResNet-18.
    """
    libc = ctypes.CDLL(None)
    if not (hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim")):  # macOS, musl
        yield
        return
    _set(libc, _OURS)
    try:
        yield
    finally:
        _set(libc, _DEFAULT)
        libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, values: dict[int, int]) -> None:
    for parameter, value in values.items():
        libc.mallopt(parameter, value)
