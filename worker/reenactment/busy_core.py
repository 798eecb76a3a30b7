"""How much longer a frame takes where something else keeps a core busy, in turns in the same run.

Blender plays, another program computes: that costs a share of the cores. Threads that wait for one
another by spinning make it cost many times that.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photorig.shared import programs
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.portraits.portrait import Portrait

from .renderer import FaceRenderer

BAR = 2.2
"""How many times as long as alone a frame may take beside one busy core."""

_FRAMES = 8  # in each turn
_MOVED = ("jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUp")
_BUSY = (
    "import os, sys, threading\n"
    "threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n"
    "print(flush=True)\n"
    "while True: pass"
)
"""Keeps a core busy for as long as somebody holds its standard input."""


@dataclass(frozen=True)
class BusyCore:
    """What one busy core costs.

    Attributes:
        size: side of the frame in pixels.
        milliseconds: a frame, median, nothing else of ours running.
        busy_milliseconds: the same beside one busy core.
        ratio: the second divided by the first; ``BAR`` is the most that it should be.
    """

    size: int
    milliseconds: float
    busy_milliseconds: float
    ratio: float


def measure(renderer: FaceRenderer, portrait: Portrait, size: int, rounds: int) -> BusyCore:
    """Render moving frames, some alone and some beside a busy core, ``rounds`` times in turn."""
    random = np.random.default_rng(size)
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(_FRAMES):  # the first ones compile and warm up
        _seconds(renderer, portrait, size, random)
    for _ in range(rounds):
        alone += [_seconds(renderer, portrait, size, random) for _ in range(_FRAMES)]
        with busy_core():
            beside += [_seconds(renderer, portrait, size, random) for _ in range(_FRAMES)]
    medians = [1000 * statistics.median(seconds) for seconds in (alone, beside)]
    return BusyCore(size, medians[0], medians[1], medians[1] / medians[0])


@contextlib.contextmanager
def busy_core() -> Iterator[int]:
    """While it lasts, another process keeps a core busy; gives its number."""
    command = [sys.executable, "-P", "-c", _BUSY]
    folder = Path(sys.prefix).absolute()
    with programs.start(command, folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def _seconds(
    renderer: FaceRenderer, portrait: Portrait, size: int, random: np.random.Generator
) -> float:
    """The time of a frame with a face that no other frame has."""
    values = dict(zip(_MOVED, random.uniform(0.05, 0.6, len(_MOVED)), strict=True))
    values |= {"headYaw": random.uniform(-15, 15), "headPitch": random.uniform(-8, 8)}
    request = FrameRequest(portrait.id, renderer.schema.vector(values), size)
    start = time.perf_counter()
    renderer.render(portrait, request)
    return time.perf_counter() - start
