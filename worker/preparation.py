"""What must hold in every process of the worker before a library that computes is loaded.

Importing `photorig.worker` calls it, so that no way in can be forgotten: the command line, the
program of a fit, a measuring process, a test.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

PATIENT_THREADS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    "OPENCV_THREAD_POOL_ACTIVE_WAIT_WORKER": "0",
    "OPENCV_THREAD_POOL_ACTIVE_WAIT_MAIN": "0",
}
"""Threads that wait for others sleep. They would spin otherwise, and where something else keeps a
core busy they spin in the way of the very thread that they wait for: a frame then takes up to nine
times as long. OpenMP's runtimes read this when they are loaded; what the user has set stays."""

TELEMETRY = "openvino_telemetry"
"""Importing OpenVINO imports this package, which then writes into the home and calls an analytics
host from a process of its own, unless ``CI`` is set or a file in the home says no."""


_MALLOC = {
    "M_MMAP_MAX": (-4, 0),
    "M_TRIM_THRESHOLD": (-1, -1),
    "M_TOP_PAD": (-2, 64 << 20),
    "M_ARENA_MAX": (-8, 1),
}
"""Of glibc's mallopt: what to change, and to what."""


def prepare() -> None:
    """Make threads patient, keep freed memory, and keep OpenVINO from telling anybody that it is
    used."""
    for name, value in PATIENT_THREADS.items():
        os.environ.setdefault(name, value)
    keep_freed_memory()
    # To Python this says "there is no such package", and OpenVINO then does without.
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]


def keep_freed_memory() -> None:
    """What was freed is used again, and not given back to the system and asked for anew.

    A frame frees some hundred megabytes, and the next one takes them: the system would clear every
    page of them each time, a third of the processor time of a large frame. So a
    worker keeps what its largest frame took until it ends. Where there is no C library of GNU's
    nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        change = ctypes.CDLL(None).mallopt
        for name, value in _MALLOC.values():
            change(name, value)


class _MallocInfo(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks".split()
    ) + (("keepcost", ctypes.c_size_t),)


def kept_memory() -> int:
    """Bytes that were freed and kept; 0 where that is not known."""
    try:
        tell = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return 0
    tell.restype = _MallocInfo
    return int(tell().fordblks)
