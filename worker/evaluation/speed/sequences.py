"""How many frames a second a sequence has, pictures written and all, and what its memory does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from photorig.shared.wire.messages import FrameRequest
from photorig.worker.compositing.canvas import Size
from photorig.worker.media.encode import encode
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.renderer import FaceRenderer
from photorig.worker.reenactment.sequences import AskedFrame, finished_frames

from .frames import requests_of


@dataclass(frozen=True)
class SequenceSpeed:
    """Frames of one size and motion, one after the other into PNG files in memory.

    Attributes:
        rate: frames a second by the clock.
        processor: milliseconds of processor time a frame, of all threads.
        grown: megabytes that the second half of the frames has taken for good.
        slowed: processor time of a frame of the second half beside one of the first; 1 where what
            frames cost is linear in their number.
    """

    size: str
    motion: str
    rate: float
    processor: float
    grown: float
    slowed: float = 1.0


def measure_sequences(
    renderer: FaceRenderer,
    portrait: Portrait,
    sizes: Sequence[Size],
    frames: int,
    motions: Sequence[str],
) -> list[SequenceSpeed]:
    """The speed of sequences; of the largest photo a quarter as many frames."""
    if not frames:
        return []
    return [
        _speed(renderer, portrait, size, motion, max(frames // (4 if size == "full" else 1), 4))
        for size in sizes
        for motion in motions
    ]


def _speed(
    renderer: FaceRenderer, portrait: Portrait, size: Size, motion: str, frames: int
) -> SequenceSpeed:
    warm = 2 * max(renderer.frames_at_once(portrait, size), renderer.frames_in_a_call)

    def made(requests: Sequence[FrameRequest]) -> Iterator[bytes]:
        asked = (AskedFrame(request) for request in requests)
        return finished_frames(
            renderer,
            [portrait],
            asked,
            lambda _, frame: encode(frame, "png", renderer.model_id),
        )

    for _ in made(requests_of(renderer, portrait, size, motion, warm)):
        pass  # the first ones compile
    asked = requests_of(renderer, portrait, size, motion, frames, first=warm)
    process, memory = psutil.Process(), []
    clock, processor = time.perf_counter(), time.process_time()
    for _ in made(asked):
        memory.append(process.memory_info().rss)
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    grown = (memory[-1] - memory[len(memory) // 2]) / 2**20
    return SequenceSpeed(str(size), motion, frames / clock, 1000 * processor / frames, grown)
