"""The memory that torch computes in on a processor."""

from __future__ import annotations

import ctypes


def keep_freed_memory() -> None:
    """Let glibc keep what torch frees; mapping it anew each step costs up to half of the time."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return  # another system's allocator, which does not have this habit
    trim_threshold, mmap_max, top_pad = -1, -4, -2
    for name, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 1 << 28)):
        mallopt(name, value)
