"""How many threads of the processor to render with."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import psutil

from photorig.shared.errors import InputError

THREADS_VARIABLE = "PHOTORIG_THREADS"

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_LANES = 4
"""Python itself runs on one thread at a time: more frames at once would wait for it."""

_one_torch_thread = threading.Lock()
_opencv_lock = threading.Lock()
_opencv_before: list[int] = []
"""Of OpenCV's threads, as often as `one_opencv_thread` lasts."""
_of_this_thread = threading.local()


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


def frame_threads(otherwise: int) -> int:
    """Threads that what is computed here may share its work between: what `on_threads` says, or
    ``otherwise`` where nothing does."""
    count: int = getattr(_of_this_thread, "count", 0)
    return count or otherwise


@contextlib.contextmanager
def in_lane(at_once: int) -> Iterator[None]:
    """While it lasts, the calling thread computes on its share of the threads, as one of so many;
    alone it has all of them."""
    if at_once == 1:
        yield
        return
    with one_opencv_thread(), on_threads(max(thread_count() // at_once, 1)):
        yield


@contextlib.contextmanager
def on_threads(count: int) -> Iterator[None]:
    """While it lasts, `frame_threads` is ``count`` for what the calling thread does.

    Pixels do not depend on it.
    """
    before: int = getattr(_of_this_thread, "count", 0)
    _of_this_thread.count = count
    try:
        yield
    finally:
        _of_this_thread.count = before


def lane_count() -> int:
    """How many frames of a sequence are made at once, each on its share of the threads: that takes
    less time than one after the other, each on all of them."""
    return min(thread_count(), _MOST_LANES)


def in_lanes(work: Callable[[Item], Result], items: Iterable[Item], lanes: int) -> Iterator[Result]:
    """``work`` of each item, in their order, several at once, see `lane_count`.

    The first one is done alone: what it finds out for all others is found once. No more than one
    result a lane waits to be taken. What ``work`` raises comes in its item's turn.
    """
    if lanes == 1:
        yield from map(work, items)
        return
    items = iter(items)

    def done(item: Item) -> Result:
        with in_lane(lanes):
            return work(item)

    waiting: deque[Future[Result]] = deque()
    with one_opencv_thread(), ThreadPoolExecutor(lanes, "photorig-lane") as pool:
        try:
            for item in itertools.islice(items, 1):
                yield done(item)
            for item in items:
                waiting.append(pool.submit(done, item))
                if len(waiting) > lanes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """While it lasts, OpenCV computes each thing on the thread that asks for it.

    Several threads may be within it at once; the last one out gives back what the first one found.
    """
    import cv2

    with _opencv_lock:
        if not _opencv_before:
            _opencv_before.append(cv2.getNumThreads())
            cv2.setNumThreads(1)
        else:
            _opencv_before.append(_opencv_before[0])
    try:
        yield
    finally:
        with _opencv_lock:
            threads = _opencv_before.pop()
            if not _opencv_before:
                cv2.setNumThreads(threads)


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
