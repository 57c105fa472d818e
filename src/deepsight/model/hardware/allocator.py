"""Keeps freed memory in the process during training, so that a step need not request it again."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Options of glibc's mallopt and their values as malloc.h and mallopt(3) give them.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
LARGEST_THRESHOLD = 32 * 1024**2  # the largest that mallopt takes, and where glibc's own adjustment ends
DEFAULT_MAPPINGS = 65_536
ALL = 2**31 - 1


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let the allocator keep freed memory, and return it at the end; has no effect without glibc.

    Otherwise an array above 32 MB is mapped from the system each time, which clears its pages; at 160 pixels
    this takes a third of a training step (docs/decisions/0017-small-passes.md).
    """
    libc = glibc()
    if libc is None:
        yield
        return
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, ALL)
    try:
        yield
    finally:
        # The values that glibc reaches by itself once large arrays were freed; mallopt ended the adaptation.
        libc.mallopt(M_MMAP_MAX, DEFAULT_MAPPINGS)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        libc.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_THRESHOLD)
        libc.malloc_trim(0)


@cache
def glibc() -> ctypes.CDLL | None:
    """The C library of this process if it is glibc."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
