"""A portrait stage for unit tests: no weights, the whole picture is the person."""

from __future__ import annotations

import numpy as np

from photorig.worker.compositing.compositor import PortraitStage
from photorig.worker.compositing.head_motion import HeadPlace
from photorig.worker.portraits.portrait import Portrait


class WholeSquare:
    """A matte that takes all of a picture for the person."""

    id = "whole square"

    def person(self, picture: np.ndarray) -> np.ndarray:
        return np.ones((64, 64), np.float32)


class MiddleHead:
    """A head in the middle of every aligned square."""

    def find(self, portrait: Portrait) -> HeadPlace:
        middle = np.array([0.5, 0.5])
        return HeadPlace(middle + [0, 0.3], middle + [0, 0.2], 0.2, middle, 1 / 28)


def tiny_stage() -> PortraitStage:
    return PortraitStage(WholeSquare(), MiddleHead())
