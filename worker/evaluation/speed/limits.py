"""What this machine can do at most, measured in the same run as the frames."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_COPIED = 64 << 20
"""Bytes that are copied, far more than caches hold."""
_REPEATS = 7


@dataclass(frozen=True)
class Limits:
    """One core's limits.

    Attributes:
        products: multiply-accumulates a millisecond of the largest matrix product, in the
            generator's precision.
        copied: bytes a millisecond from memory to memory.
        load: processes that wanted to run while this was measured, the last minute's mean; -1
            where the system does not tell.
    """

    products: float
    copied: float
    load: float


def measure_limits(precision: str) -> Limits:
    """Args: precision: f32 or bf16."""
    from photorig.worker.generators.arithmetic import products_per_second

    with one_thread_of_torch():
        products = products_per_second("cpu", precision) / 1000
    source, target = np.ones(_COPIED, np.uint8), np.zeros(_COPIED, np.uint8)
    seconds = []
    for _ in range(_REPEATS):
        start = time.thread_time()
        np.copyto(target, source)
        seconds.append(time.thread_time() - start)
    return Limits(products, _COPIED / (1000 * min(seconds)), load())


def load() -> float:
    """Mean number of processes that wanted to run in the last minute; -1 where it is not told."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0


@contextlib.contextmanager
def one_thread_of_torch() -> Iterator[None]:
    """While it lasts, torch computes on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
