"""A generator's picture of a face put where the person's own mesh is to be.

Nothing is searched: landmarks of the generator's picture, of the picture at rest and of the picture
that is wanted are known (reenactment/face_target.py), and the fields between them are the mesh's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from .detail import Flow, small, trusted
from .face_mesh import SIDE, field, moved

_IRIS_FULL, _IRIS_END = 1.0, 2.4
"""Radii of the iris up to which everything moves with it, and from which nothing does."""


@dataclass(frozen=True, eq=False)
class Eye:
    """Landmark numbers of an eye: upper and lower lid (n,), and the iris, its middle first."""

    upper: np.ndarray
    lower: np.ndarray
    iris: slice


@dataclass(frozen=True, eq=False)
class FaceMove:
    """Landmarks (478, 3) of one face in three pictures, in sides of the aligned square.

    Attributes:
        rest: of the picture at rest.
        seen: of what the generator draws.
        target: of what is wanted.
        scale: sides of the square along a centimetre, in the picture that is wanted.
        is_turned: whether the head is turned, so that more than the mesh moves.
        eyes: where irises move inside their lids.
    """

    rest: np.ndarray
    seen: np.ndarray
    target: np.ndarray
    scale: float
    is_turned: bool
    eyes: tuple[Eye, ...]

    def applied(self, picture: np.ndarray) -> np.ndarray:
        """The generator's picture (s, s, 3) uint8 with its landmarks where they are wanted."""
        return moved(picture, self._between(self.target, self.seen))

    def flow(self, driven: np.ndarray, rest: np.ndarray) -> Flow:
        """How the driven picture came out of the one at rest, both (s, s, 3) uint8 of the
        generator, the driven one after `applied`."""
        return Flow(self._back, trusted(small(driven), small(rest), self._back, self._ahead))

    @cached_property
    def _back(self) -> np.ndarray:
        return self._between(self.target, self.rest)

    @cached_property
    def _ahead(self) -> np.ndarray:
        return self._between(self.rest, self.target)

    def _between(self, target: np.ndarray, source: np.ndarray) -> np.ndarray:
        """(SIDE, SIDE, 2) float32 field, irises included."""
        result = field(target, source, self.scale)
        for eye in self.eyes:
            _turn_iris(result, target, source, eye)
        return result


def _turn_iris(displacement: np.ndarray, target: np.ndarray, source: np.ndarray, eye: Eye) -> None:
    """Let the iris of the moved picture come from that of the source; in place."""
    middle, ring = target[eye.iris.start, :2], target[eye.iris, :2][1:]
    radius = float(np.linalg.norm(ring - middle, axis=1).mean()) * SIDE
    row, column = (int(np.clip(value * SIDE, 0, SIDE - 1)) for value in middle[::-1])
    missing = source[eye.iris.start, :2] - middle - displacement[row, column]
    if not missing.any() or radius <= 0:
        return
    outline = np.concatenate([target[eye.upper, :2], target[eye.lower[::-1], :2]]) * SIDE
    margin = int(np.ceil(_IRIS_END * radius)) + 2
    low = np.clip(np.floor(outline.min(0)) - margin, 0, SIDE).astype(int)
    high = np.clip(np.ceil(outline.max(0)) + margin, 0, SIDE).astype(int)
    width, height = (high - low).tolist()
    if width <= 0 or height <= 0:
        return
    inside = np.zeros((height, width), np.float32)
    corners = np.round((outline - low - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(inside, [corners], 1.0, cv2.LINE_8, 4)
    inside = cv2.GaussianBlur(inside, (0, 0), 0.5)
    x = np.arange(low[0], high[0], dtype=np.float32) + 0.5 - middle[0] * SIDE
    y = np.arange(low[1], high[1], dtype=np.float32)[:, None] + 0.5 - middle[1] * SIDE
    away = (_IRIS_END - np.hypot(x, y) / radius) / (_IRIS_END - _IRIS_FULL)
    share = np.clip(away, 0, 1)
    share = (share * share * (3 - 2 * share) * inside)[..., None]
    displacement[low[1] : high[1], low[0] : high[0]] += share * missing.astype(np.float32)
