"""Frames of a sequence in their order, as fast as the device makes them.

On a processor several frames are made at once, each by itself; on another device the generator
draws several in one call, and what is done with finished frames goes on beside it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from photorig.shared.wire.messages import FrameRequest
from photorig.worker.compositing.several_faces import render_faces
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.threads import in_lanes, lane_count

from .renderer import FaceRenderer
from .target import DrivingPictures

Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class AskedFrame:
    """A frame of a sequence.

    Attributes:
        key: whatever its finisher wants to know.
        pictures: that drive it, for one face alone.
    """

    request: FrameRequest
    key: str = ""
    pictures: DrivingPictures | None = None


def finished_frames(
    renderer: FaceRenderer,
    portraits: Sequence[Portrait],
    asked: Iterable[AskedFrame],
    finish: Callable[[AskedFrame, np.ndarray], Result],
) -> Iterator[Result]:
    """``finish`` of each frame (h, w, 3) uint8, in their order; it is called on several threads.

    Args:
        portraits: of all faces, the first one's frame first.
        asked: frames of one size.

    Raises:
        PhotorigError: as of `FaceRenderer.render`, in its frame's turn.
    """
    first, asked = portraits[0], iter(asked)
    head = next(asked, None)
    if head is None:
        return
    asked = itertools.chain([head], asked)
    at_once = renderer.frames_in_a_call

    def made(one: AskedFrame) -> np.ndarray:
        if one.pictures is not None:
            return renderer.render(first, one.request, one.pictures)
        return render_faces(renderer, portraits, one.request)

    if at_once == 1 or len(portraits) > 1:
        lanes = renderer.frames_at_once(first, head.request.size)
        yield from in_lanes(lambda one: finish(one, made(one)), asked, lanes)
        return

    def frames() -> Iterator[tuple[AskedFrame, np.ndarray]]:
        while several := list(itertools.islice(asked, at_once)):
            requests, pictures = zip(*((one.request, one.pictures) for one in several), strict=True)
            yield from zip(several, renderer.render_several(first, requests, pictures), strict=True)

    yield from in_lanes(lambda pair: finish(*pair), frames(), lane_count())
