"""What a whole frame costs: processor time on one thread, stage by stage, and how long it takes.

Processor time on one thread is what stays the same on a computer that others use, too; what a
frame takes by the clock says something on an idle one only.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2

from photorig.shared.wire.messages import FrameRequest
from photorig.worker.compositing import compositor
from photorig.worker.compositing.canvas import Size
from photorig.worker.compositing.face_move import FaceMove
from photorig.worker.faces.segmentation import PersonMatte
from photorig.worker.generators.code import Code
from photorig.worker.media.encode import encode
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.renderer import FaceRenderer
from photorig.worker.threads import on_threads, one_opencv_thread

MOTIONS: dict[str, dict[str, float]] = {
    "expression": {"jawOpen": 0.4, "mouthSmileLeft": 0.5, "eyeBlinkRight": 0.3},
    "turned": {"headYaw": 14.0, "headPitch": 4.0, "jawOpen": 0.3},
    "moved": {"headRoll": 8.0, "headX": 1.5, "jawOpen": 0.3},
}
"""What is asked for; each frame of a motion asks for a little more than the one before."""

STAGES: dict[str, tuple[Any, str]] = {
    "generator": (Code, "drawn"),
    "mesh": (FaceMove, "applied"),
    "flow": (compositor, "_flow"),
    "matte": (PersonMatte, "person"),
    "carry": (compositor, "carried"),
    "lay over": (compositor, "composited_over"),
    "turn": (compositor, "draw_turned"),
    "move": (compositor, "warped"),
}
"""The functions that are timed; each without those of the others that it calls."""

Serve = Callable[[Portrait, FrameRequest], object]
"""Has the server's executor make a frame and write it down as PNG."""

_PHOTO_PIXELS = 12e6
_AROUND, _ABOVE, _BELOW = 0.93, 0.45, 0.69
"""Sides of the square around it: a face of 1,400 pixels in a photo of 4000 × 3000."""


@dataclass(frozen=True)
class FrameCost:
    """Milliseconds of a frame, medians.

    Attributes:
        size: pixels of the aligned crop's side, or ``full``.
        motion: of `MOTIONS`.
        processor: processor time with one thread.
        stages: the same of each of `STAGES`.
        clock: by the clock, with all threads.
        held: by the clock, of a request that the server just answered, with its PNG.
        png: processor time of its PNG.
    """

    size: str
    motion: str
    processor: float
    stages: dict[str, float]
    clock: float
    held: float
    png: float


def in_large_photo(portrait: Portrait) -> Portrait:
    """The portrait with its photo enlarged to 12 megapixels; larger ones as they are."""
    height, width = portrait.photo.shape[:2]
    factor = (_PHOTO_PIXELS / (height * width)) ** 0.5
    if factor <= 1:
        return portrait
    size = (round(width * factor), round(height * factor))
    photo = cv2.resize(portrait.photo, size, interpolation=cv2.INTER_CUBIC)
    matrix = portrait.alignment.matrix.copy()
    matrix[:, :2] /= factor
    return replace(portrait, photo=photo, alignment=Alignment(matrix))


def in_a_photo(face: Portrait) -> Portrait:
    """A portrait whose photo is the aligned crop, in a photo with something around it."""
    side = face.photo.shape[0]
    left, above = round(_AROUND * side), round(_ABOVE * side)
    reach = (above, round(_BELOW * side), left, left)
    photo = cv2.copyMakeBorder(face.photo, *reach, cv2.BORDER_REFLECT_101)
    return replace(face, photo=photo, alignment=Alignment.upright(side, left, above))


def requests_of(
    renderer: FaceRenderer, portrait: Portrait, size: Size, motion: str, count: int, first: int = 0
) -> list[FrameRequest]:
    """Requests of which no two are equal."""
    return [
        FrameRequest(
            portrait.id,
            renderer.schema.vector(
                {name: value * (0.8 + 0.004 * n) for name, value in MOTIONS[motion].items()}
            ),
            size,
            frame=n,
        )
        for n in range(first, first + count)
    ]


def measure_costs(
    renderer: FaceRenderer,
    portrait: Portrait,
    sizes: Sequence[Size],
    rounds: int,
    motions: Sequence[str],
    serve: Serve,
) -> list[FrameCost]:
    """What frames of each size and motion cost; ``rounds`` of each kind."""
    return [
        _cost(renderer, portrait, size, motion, rounds, serve)
        for size in sizes
        for motion in motions
    ]


def _cost(
    renderer: FaceRenderer,
    portrait: Portrait,
    size: Size,
    motion: str,
    rounds: int,
    serve: Serve,
) -> FrameCost:
    asked = requests_of(renderer, portrait, size, motion, 2 * rounds + 2)
    processor, stages, png = [], [], []
    with one_opencv_thread(), on_threads(1):
        renderer.render(portrait, asked[0])  # the first one compiles and finds what rests
        for request in asked[1 : rounds + 1]:
            with _timed_stages() as watch:
                taken, frame = _processor(functools.partial(renderer.render, portrait, request))
            processor.append(taken)
            stages.append(watch.milliseconds)
            png.append(_processor(functools.partial(encode, frame, "png", "bench"))[0])
    renderer.render(portrait, asked[rounds + 1])
    clock = [
        _clock(functools.partial(renderer.render, portrait, request))
        for request in asked[rounds + 2 :]
    ]
    serve(portrait, asked[-1])
    held = [_clock(lambda: serve(portrait, asked[-1])) for _ in range(rounds)]
    return FrameCost(
        str(size),
        motion,
        statistics.median(processor),
        {name: statistics.median(each.get(name, 0.0) for each in stages) for name in STAGES},
        statistics.median(clock or [0.0]),
        statistics.median(held),
        statistics.median(png),
    )


def _processor(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return 1000 * (time.process_time() - start), result


def _clock(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


@dataclass
class _Watch:
    """Processor milliseconds of stages, each without what it calls of the others."""

    milliseconds: dict[str, float] = field(default_factory=dict)
    _inner: list[float] = field(default_factory=list)

    def around(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            start = time.process_time()
            try:
                return work(*args, **kwargs)
            finally:
                whole = 1000 * (time.process_time() - start)
                own = whole - self._inner.pop()
                self.milliseconds[name] = self.milliseconds.get(name, 0.0) + own
                if self._inner:
                    self._inner[-1] += whole

        return timed


@contextlib.contextmanager
def _timed_stages() -> Iterator[_Watch]:
    watch = _Watch()
    before = {name: getattr(owner, attribute) for name, (owner, attribute) in STAGES.items()}
    try:
        for name, (owner, attribute) in STAGES.items():
            setattr(owner, attribute, watch.around(name, before[name]))
        yield watch
    finally:
        for name, (owner, attribute) in STAGES.items():
            setattr(owner, attribute, before[name])
