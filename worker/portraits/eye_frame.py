"""An eye in a picture as its lids see it: along from the outer to the inner corner, and down.

What belongs to an eye (eyeball.py, eyelids.py) is kept in this frame, so that it follows the eye
wherever the mesh puts it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

from photorig.worker import rasters
from photorig.worker.faces.face_topology import RIGHT_UPPER_LID
from photorig.worker.rasters import Raster

_N_LID = len(RIGHT_UPPER_LID)
_DENSER = 4
_BRIDGE, _CHIN = 168, 152
_SHUT, _SLIT = 0.08, 0.14
"""Widths of an eye that its lids are apart, at most, where it is shut, and where it is no open one:
by less than that much no slit is said to open."""
_LEAST_WIDTH = 3.0
"""Pixels; a narrower eye is seen from the side, or hidden."""


@dataclass(frozen=True, eq=False)
class Eye:
    """Landmark numbers of an eye: upper and lower lid (n,), from the outer to the inner corner, and
    the iris, its middle first."""

    upper: np.ndarray
    lower: np.ndarray
    iris: slice


@dataclass(frozen=True, eq=False)
class EyeFrame:
    """An eye's own axes.

    Attributes:
        corner: (2,) pixels, the outer one; along, down: (2,) of length 1; width: between corners.
        lids: how far along (0 to 1, rising) and how far down, pixels, points of both lids are.
    """

    corner: np.ndarray
    along: np.ndarray
    down: np.ndarray
    width: float
    lids: tuple[tuple[np.ndarray, np.ndarray], ...]

    @staticmethod
    def of(landmarks: np.ndarray, eye: Eye) -> EyeFrame | None:
        """Of landmarks (478, ≥ 2) in pixels; None where the eye is not seen."""
        points = landmarks[:, :2]
        corner = points[eye.upper[0]]
        across = points[eye.upper[-1]] - corner
        width = float(np.linalg.norm(across))
        if not width >= _LEAST_WIDTH:
            return None
        along = across / width
        down = np.array([-along[1], along[0]])
        if down @ (points[_CHIN] - points[_BRIDGE]) < 0:
            down = -down
        frame = EyeFrame(corner, along, down, width, ())
        lids = tuple(frame._edge(points[lid]) for lid in (eye.upper, eye.lower))
        return EyeFrame(corner, along, down, width, lids)

    def _edge(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = _denser() @ (points - self.corner)
        rising = np.maximum.accumulate(away @ self.along / self.width)
        return rising + 1e-6 * np.arange(len(rising)), away @ self.down

    def edge(self, lid: int, part: np.ndarray) -> np.ndarray:
        """How far down, in pixels, the upper (0) or lower lid (1) is at parts of the width."""
        return np.interp(part, *self.lids[lid])

    def lid_of(self, landmarks: np.ndarray, lid: np.ndarray, part: np.ndarray) -> np.ndarray:
        """The same of a lid (numbers) of other landmarks (478, ≥ 2) in pixels."""
        return np.interp(part, *self._edge(landmarks[lid, :2]))

    def gap(self, part: np.ndarray) -> np.ndarray:
        """Pixels between the lids."""
        return self.edge(1, part) - self.edge(0, part)

    def inwards(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels to parts of the width, and pixels down from the corner."""
        x, y = x - self.corner[0], y - self.corner[1]
        along = x * (self.along[0] / self.width) + y * (self.along[1] / self.width)
        return along, x * self.down[0] + y * self.down[1]

    def outwards(self, part: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The opposite."""
        along = part * self.width
        x = self.corner[0] + along * self.along[0] + down * self.down[0]
        y = self.corner[1] + along * self.along[1] + down * self.down[1]
        return x, y

    def region(
        self, parts: tuple[float, float], above: float, below: float, size: int
    ) -> tuple[slice, slice] | None:
        """Rows and columns of a square picture in which parts of the width lie, from so many pixels
        above the upper lid to so many below the lower one; None where that is outside."""
        top, bottom = self.lids[0][1].min() - above, self.lids[1][1].max() + below
        corners = [self.outwards(np.array(p), np.array(d)) for p in parts for d in (top, bottom)]
        places = np.array(corners)
        low = np.clip(np.floor(places.min(0)), 0, size).astype(int)
        high = np.clip(np.ceil(places.max(0)), 0, size).astype(int)
        if (high <= low).any():
            return None
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


PARTS = np.linspace(0.15, 0.85, 15)
"""Parts of an eye's width at which its opening is read."""


@dataclass(frozen=True, eq=False)
class MovedEye:
    """An eye that has moved.

    Attributes:
        frame: of the moved eye.
        lids: landmark numbers of it.
        before: (478, ≥ 2) landmarks in pixels of the face before it moved.
        size: pixels along a side of the picture.
        scale: pixels along a centimetre.
        iris: (2,) pixels, its middle; shift: (2,) how far it has moved.
        closed: how far the lids have come together, a part of how far they were apart; below 0
            where the eye has opened.
        was_open: whether there was an eye to be seen, 0 to 1.
    """

    frame: EyeFrame
    lids: Eye
    before: np.ndarray
    size: int
    scale: float
    iris: np.ndarray
    shift: np.ndarray
    closed: float
    was_open: float

    @staticmethod
    def of(
        eye: Eye, before: np.ndarray, after: np.ndarray, scale: float, size: int
    ) -> MovedEye | None:
        """Of landmarks (478, 3) and a scale in sides of the square; None where it is not seen."""
        before, after = before[:, :2] * size, after[:, :2] * size
        earlier, frame = EyeFrame.of(before, eye), EyeFrame.of(after, eye)
        if earlier is None or frame is None:
            return None
        was = float(earlier.gap(PARTS).mean())
        closed = (was - float(frame.gap(PARTS).mean())) / max(was, _SLIT * earlier.width)
        was_open = smooth(np.array((was / earlier.width - _SHUT) / (_SLIT - _SHUT)))
        iris = after[eye.iris.start]
        shift = iris - before[eye.iris.start]
        return MovedEye(
            frame, eye, before, size, scale * size, iris, shift, closed, float(was_open)
        )

    def upper_before(self, part: np.ndarray) -> np.ndarray:
        """How far down, in the moved eye's frame, its upper lid was."""
        return self.frame.lid_of(self.before, self.lids.upper, part)


@dataclass(frozen=True, eq=False)
class EyeLayer:
    """What is seen of something that is kept of an eye.

    Attributes:
        region: rows and columns of the picture.
        share: (h, w) float32 in [0, 1], how far it hides what was there.
        colours: gives (h, w, 3).
    """

    region: tuple[slice, slice]
    share: np.ndarray
    colours: Callable[[], np.ndarray]


def painted(picture: Raster, layers: Sequence[EyeLayer]) -> Raster:
    """A picture (h, w, 3) uint8 with layers on it; the same picture where there are none."""
    result = rasters.copied(picture) if layers else picture
    for layer in layers:
        before = rasters.floats(result[layer.region])
        share, colours = (rasters.like(each, result) for each in (layer.share, layer.colours()))
        result[layer.region] = rasters.levels(before + share[..., None] * (colours - before))
    return result


def covered(size: int, layers: Sequence[EyeLayer]) -> np.ndarray | None:
    """(size, size) float32: how far layers hide a picture; None where there are none."""
    if not layers:
        return None
    result = np.zeros((size, size), np.float32)
    for layer in layers:
        result[layer.region] = 1 - (1 - result[layer.region]) * (1 - layer.share)
    return result


def smooth(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between; float32."""
    t = np.clip(value, 0, 1).astype(np.float32)
    return np.asarray(t * t * (3 - 2 * t))


def grid(region: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """x (1, w) and y (h, 1) of the middles of the pixels of a region."""
    rows, columns = region
    x = np.arange(columns.start, columns.stop, dtype=np.float64) + 0.5
    y = np.arange(rows.start, rows.stop, dtype=np.float64) + 0.5
    return x[None], y[:, None]


def sampled(
    picture: np.ndarray, across: np.ndarray, down: np.ndarray, pixels: tuple[float, float]
) -> np.ndarray:
    """A small picture at places, (h, w, …) of its type.

    Args:
        across, down: (h, w) parts of its width and height; beyond its edges it is as at them.
        pixels: how wide and high it is shown; shown smaller than it is, it is averaged first.
    """
    height, width = picture.shape[:2]
    shown = [int(np.clip(round(p), 2, n)) for p, n in zip(pixels, (width, height), strict=True)]
    if shown != [width, height]:
        picture = cv2.resize(picture, shown, interpolation=cv2.INTER_AREA)
    x = (across * shown[0] - 0.5).astype(np.float32)
    y = (down * shown[1] - 0.5).astype(np.float32)
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


@functools.cache
def _denser() -> np.ndarray:
    """(d, 9) weights that draw a smooth line through the points of a lid."""
    places = np.linspace(0, _N_LID - 1, _DENSER * (_N_LID - 1) + 1)
    return np.asarray(CubicSpline(np.arange(_N_LID), np.eye(_N_LID), bc_type="natural")(places))
