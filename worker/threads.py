"""How many threads of the processor to render with."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import psutil

from photorig.shared.errors import InputError

THREADS_VARIABLE = "PHOTORIG_THREADS"

_one_torch_thread = threading.Lock()


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


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """While it lasts, torch computes on the calling thread alone.

    For small networks: to share their many short steps between threads takes longer than it saves,
    and where something else keeps a core busy each step waits for the thread on that core.
    """
    import torch

    with _one_torch_thread:  # the number belongs to the process, so one gives back what it found
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
