"""How many threads of the processor to render with."""

from __future__ import annotations

import os

import psutil

from photorig.shared.errors import InputError

THREADS_VARIABLE = "PHOTORIG_THREADS"


def thread_count() -> int:
    """Threads to render with: ``PHOTORIG_THREADS``, or one for each core this process may use.

    Two threads on one core slow each other down here, so sibling threads do not count.

    Raises:
        InputError: ``PHOTORIG_THREADS`` is not a number above zero.
    """
    chosen = os.environ.get(THREADS_VARIABLE, "")
    if chosen:
        if not chosen.isdecimal() or int(chosen) < 1:
            raise InputError(f"{THREADS_VARIABLE} is {chosen!r}, not a number of threads")
        return int(chosen)
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, allowed))
