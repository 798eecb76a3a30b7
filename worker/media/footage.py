"""What a film file holds: pictures, and when each is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np


@dataclass(frozen=True)
class TimedPicture:
    """One frame.

    Attributes:
        picture: (h, w, 3) uint8 sRGB, upright, with square pixels.
        time: seconds from the film's start to where the frame is shown; None where it does not say.
    """

    picture: np.ndarray
    time: float | None = None


@dataclass(frozen=True)
class Footage:
    """The frames of a file.

    Attributes:
        total: how many there will be, None where the file does not say.
        rate: frames a second as the file claims it, None for a picture, or where it does not.
        pictures: the frames in order; damage is found while they are read.
        unreadable: names of the pictures of a sequence that could not be read, so far; nobody is
            to be seen in them.
    """

    total: int | None
    rate: Fraction | None
    pictures: Iterator[TimedPicture]
    unreadable: list[str] = field(default_factory=list)
