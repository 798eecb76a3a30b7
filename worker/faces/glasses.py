"""Glasses: where a face's frame of them is seen, if it wears any.

A rim is a thin line all around each eye, a bridge one between both, temples one from there to the
ears. Each is found as the path along which the picture is most of a ridge, dark or light, and
glasses are what has both rims and the bridge clearly. Skin has no such lines: wrinkles and bags
below eyes are weaker, or are not on both sides, or end.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 256
"""Pixels of the aligned square's side in which a frame is told."""

_EYES = ((33, 133), (362, 263))
"""Landmarks of the corners of each eye, in the picture from left to right."""

# Lengths are parts of the distance of the eyes.
_UNIT = 72
"""Pixels of that distance at which lines are looked for, so that sizes do not matter."""
_WIDTH, _HEIGHT, _ABOVE = 3.4, 1.9, 0.75
"""Of what is looked at, and how much of it lies above the eyes."""
_LINE = 1.2  # pixels, half a line's width
_LOWER = 0.06
"""How far below an eye the middle of its glass lies."""
_NEAREST, _FARTHEST, _FLATTER = 0.24, 0.7, 0.82
"""Between which half widths rims lie, and their height as a part of that."""
_ANGLES, _DISTANCES = 72, 32
_BRIDGE, _BRIDGE_ABOVE, _BRIDGE_BELOW = 0.17, 0.28, 0.22
"""Half the length of a bridge, and how far above and below the eyes it lies."""
_TEMPLE, _CORNER = 0.5, 0.2
"""How far a temple is followed outwards, and where it begins before the end of a rim: along it, for
a path around an eye may cut a corner off."""

_MOST, _BEND = 12.0, 1.2
"""Levels from which a line is no clearer, and what a step aside costs."""
_STEPS = 3
"""Pixels a path may step aside at most."""
_CLEAR, _BRIDGED, _LEVEL = 400.0, 2.0, 0.1
"""What is glasses: how clear bridge and lower rims are (product of the levels that three quarters
of each reach), times the square of how much clearer the rims are than what is around them; how
clear the bridge is by itself; and by how much one rim ends below the other at most."""

_RIGID, _YIELDS = 0.06, 0.08
"""How far from a line everything is the frame, and over which it yields."""


def frame_of(square: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
    """(SIDE, SIDE) float32 in [0, 1]: how far each pixel of the aligned square moves with a frame
    of glasses; None for a face without.

    Args:
        square: (s, s, 3) uint8 sRGB, the aligned square of a photo.
        landmarks: (≥ 468, ≥ 2) of the face, in sides of the square.
    """
    view = _View.of(landmarks[:, :2].astype(np.float64))
    if view is None:
        return None
    ridge = _Ridges.of(view.cut(square))
    rims = [_rim(ridge, view, side) for side in (-1, 1)]
    bridge, across = _line(ridge, view.middle, (-_BRIDGE, _BRIDGE), (-_BRIDGE_ABOVE, _BRIDGE_BELOW))
    lowest = [float(rim.path[:, 1].max()) for rim in rims]
    bridged, rimmed = float(np.percentile(across, 25)), min(rim.clear for rim in rims)
    clearer = float(np.mean([rim.clearer for rim in rims]))
    is_level = abs(lowest[0] - lowest[1]) <= _LEVEL * _UNIT
    if rimmed * bridged * clearer**2 < _CLEAR or bridged < _BRIDGED or not is_level:
        return None
    temples = [_temple(ridge, rim.path, side) for rim, side in zip(rims, (-1, 1), strict=True)]
    return view.drawn([rim.path for rim in rims], [bridge, *temples])


@dataclass(frozen=True, eq=False)
class _View:
    """What is looked at: upright between the eyes.

    Attributes:
        to_square: (2, 3) from its pixels to sides of the aligned square.
        middle: (2,) between the eyes.
    """

    to_square: np.ndarray
    middle: np.ndarray

    @staticmethod
    def of(points: np.ndarray) -> _View | None:
        """For landmarks (n, 2) in sides of the square; None where eyes are one."""
        right, left = (points[list(corners)].mean(0) for corners in _EYES)
        along = (left - right) / _UNIT
        if np.linalg.norm(along) * _UNIT < 1 / SIDE:
            return None
        turn = np.array([[along[0], -along[1]], [along[1], along[0]]])
        middle = np.array([_WIDTH / 2, _ABOVE]) * _UNIT
        offset = (right + left) / 2 - turn @ middle
        return _View(np.concatenate([turn, offset[:, None]], 1), middle)

    @property
    def shape(self) -> tuple[int, int]:
        return int(_HEIGHT * _UNIT), int(_WIDTH * _UNIT)

    def cut(self, square: np.ndarray) -> np.ndarray:
        """That part of the square (s, s, 3), low-pass filtered where it shrinks."""
        side = square.shape[0]
        shrinks = float(np.linalg.norm(self.to_square[:, 0])) * side
        if shrinks > 1:
            square = cv2.GaussianBlur(square, (0, 0), 0.4 * shrinks)
        matrix = self.to_square * side
        matrix[:, 2] -= 0.5
        height, width = self.shape
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(
            square, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )

    def drawn(self, closed: list[np.ndarray], lines: list[np.ndarray]) -> np.ndarray:
        """Paths (n, 2) with what moves along, (SIDE, SIDE) float32."""
        canvas = np.ones(self.shape, np.uint8)
        for paths, is_closed in ((closed, True), (lines, False)):
            cv2.polylines(canvas, [np.round(path).astype(np.int32) for path in paths], is_closed, 0)
        away = cv2.distanceTransform(canvas, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / _UNIT
        t = np.clip(1 - (away - _RIGID) / _YIELDS, 0, 1).astype(np.float32)
        matrix = self.to_square * SIDE
        matrix[:, 2] -= 0.5
        return cv2.warpAffine(t * t * (3 - 2 * t), matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)


@dataclass(frozen=True, eq=False)
class _Ridges:
    """Second derivatives of a picture's lightness, (h, w) float32 levels each."""

    across: np.ndarray
    down: np.ndarray
    both: np.ndarray

    @staticmethod
    def of(picture: np.ndarray) -> _Ridges:
        light = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
        soft = cv2.GaussianBlur(light, (0, 0), _LINE)
        orders = ((2, 0), (0, 2), (1, 1))
        return _Ridges(
            *(cv2.Sobel(soft, cv2.CV_32F, *order, ksize=3, scale=_LINE**2 / 4) for order in orders)
        )

    def at(self, x: np.ndarray, y: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """How much of a ridge places (n, m) are across a direction (n, 2)."""
        across, down, both = (
            cv2.remap(part, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
            for part in (self.across, self.down, self.both)
        )
        a, b = normal[:, :1], normal[:, 1:]
        return np.abs(a * a * across + b * b * down + 2 * a * b * both)


@dataclass(frozen=True, eq=False)
class _Rim:
    """A closed path (n, 2) around an eye, how clear its lower part is, and how much clearer than
    what is around it."""

    path: np.ndarray
    clear: float
    clearer: float


def _rim(ridge: _Ridges, view: _View, side: int) -> _Rim:
    """The rim around the eye to image left (-1) or right (1)."""
    angles = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    ways = np.stack([np.cos(angles), _FLATTER * np.sin(angles)], 1)
    normal = np.stack([_FLATTER * np.cos(angles), np.sin(angles)], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    distances = np.linspace(_NEAREST, _FARTHEST, _DISTANCES) * _UNIT
    middle = view.middle + [side * 0.5 * _UNIT, _LOWER * _UNIT]
    places = middle + ways[:, None] * distances[:, None]
    found = ridge.at(places[..., 0], places[..., 1], normal)
    # Three times around: the path in the middle ends where it begins.
    chosen = _best(np.tile(np.minimum(found, _MOST), (3, 1)))[_ANGLES : 2 * _ANGLES]
    along, below = found[np.arange(_ANGLES), chosen], np.sin(angles) > 0.5
    clearer = along[below] / (np.median(found, 1)[below] + 0.5)
    path = places[np.arange(_ANGLES), chosen]
    return _Rim(path, float(np.percentile(along[below], 25)), float(np.median(clearer)))


def _line(
    ridge: _Ridges, origin: np.ndarray, across: tuple[float, float], down: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The clearest line through all columns of a box around a point: (n, 2) and (n,) levels."""
    x, y = (np.arange(round(low * _UNIT), round(high * _UNIT) + 1) for low, high in (across, down))
    places = np.stack(np.meshgrid(origin[0] + x, origin[1] + y, indexing="ij"), -1)
    found = ridge.at(places[..., 0], places[..., 1], np.tile([0.0, 1.0], (len(x), 1)))
    chosen = _best(np.minimum(found, _MOST))
    everywhere = np.arange(len(x))
    return places[everywhere, chosen], found[everywhere, chosen]


def _temple(ridge: _Ridges, rim: np.ndarray, side: int) -> np.ndarray:
    """(n, 2) from the outer end of a rim outwards."""
    end = rim[np.argmax(side * rim[:, 0])]
    across = (-_CORNER, _TEMPLE) if side > 0 else (-_TEMPLE, _CORNER)
    line, _ = _line(ridge, end, across, (-0.22, 0.1))
    return line


def _best(levels: np.ndarray) -> np.ndarray:
    """(n,) columns of the path down an array (n, m) with the greatest sum, steps aside deducted."""
    total, came = levels[0], []
    for row in levels[1:]:
        options = np.stack([_shifted(total, step) - _BEND * abs(step) for step in _steps()])
        came.append(options.argmax(0))
        total = options.max(0) + row
    place = int(total.argmax())
    path = [place]
    for choice in reversed(came):
        place -= _steps()[choice[place]]
        path.append(place)
    return np.array(path[::-1])


@functools.cache
def _steps() -> tuple[int, ...]:
    return tuple(sorted(range(-_STEPS, _STEPS + 1), key=abs))


def _shifted(values: np.ndarray, step: int) -> np.ndarray:
    """Values (m,) moved by a step; nothing comes in."""
    result = np.full_like(values, -np.inf)
    if step == 0:
        return values
    if step > 0:
        result[step:] = values[:-step]
    else:
        result[:step] = values[-step:]
    return result
