"""What a frame shows of a photo: all of it, or the aligned square with what lies around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

Size = int | Literal["full"]
"""Of a frame: the side of the aligned crop in pixels, or the whole photo at its own resolution."""

_AROUND = 0.2  # sides of the square that are kept on each side of an aligned crop


@dataclass(frozen=True, eq=False)
class Canvas:
    """A photo to work in, and the part of it that is the frame.

    Attributes:
        photo: (h, w, 3) uint8, not writeable.
        alignment: from its pixels to the aligned square.
        cut: rows and columns of the frame.
    """

    photo: np.ndarray
    alignment: Alignment
    cut: tuple[slice, slice]


def canvas_of(portrait: Portrait, size: Size) -> Canvas:
    """The canvas of a frame of that size.

    A crop is worked on with what the photo has around it, so that a head which turns or moves
    brings its own hair and shoulders into the frame. At rest the frame is the aligned crop.
    """
    if size == "full":
        everything = slice(None)
        return Canvas(portrait.photo, portrait.alignment, (everything, everything))
    left, top, right, bottom = (round(size * reach) for reach in _known_around(portrait))
    most = round(size * _AROUND)
    photo = portrait.alignment.widened(size, most).crop(portrait.photo, size + 2 * most)
    photo[most:-most, most:-most] = portrait.alignment.crop(portrait.photo, size)
    photo = photo[most - top : most + size + bottom, most - left : most + size + right]
    photo.flags.writeable = False
    alignment = Alignment.upright(size, left, top)
    return Canvas(photo, alignment, (slice(top, top + size), slice(left, left + size)))


def _known_around(portrait: Portrait) -> tuple[float, float, float, float]:
    """How far left, above, right and below the square the photo goes on, in its sides, at most
    `_AROUND`."""
    height, width = portrait.photo.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    (top_left, top_right, bottom_right, bottom_left) = portrait.alignment.to_square(corners)
    # Of a tilted photo what is there over the whole length of a side.
    beyond = (
        -max(top_left[0], bottom_left[0]),
        -max(top_left[1], top_right[1]),
        min(top_right[0], bottom_right[0]) - 1,
        min(bottom_left[1], bottom_right[1]) - 1,
    )
    left, top, right, bottom = (float(np.clip(reach, 0, _AROUND)) for reach in beyond)
    return left, top, right, bottom
