"""Where the regions of a face are, from its landmarks: soft masks for regional styles.

Lengths are in distances between the outer corners of the eyes.
"""

from __future__ import annotations

import functools

import numpy as np

from photorig.worker.generators.regions import MASK_SIDE, RegionMasks

_OUTER_CORNERS = {"Right": 33, "Left": 263}
_INNER_CORNERS = {"Right": 133, "Left": 362}
_BROWS = {"Right": 105, "Left": 334}
_BRIDGE, _TIP, _BELOW_NOSE, _CHIN = 168, 1, 2, 152
_LIPS = (13, 14)

_FEATHER = 0.16
"""Over which a region ends."""
_EYE, _EYE_OF_BROW, _BROW = (0.33, 0.24), (0.33, 0.22), (0.42, 0.30)
_BROW_RAISED = 0.05
_MOUTH, _JAW = (0.50, 0.36), (0.66, 0.62)
"""Half axes of ellipses, along and across the eyes."""
_JAW_MIDDLE = 0.55
"""Part of the way from the mouth to the chin."""
_JAW_ABOVE, _JAW_FADE = 0.10, 0.2
"""The jaw's region begins this far above the nose's lower end, and grows over that length."""


_READ = (*_OUTER_CORNERS.values(), *_INNER_CORNERS.values(), *_BROWS.values(), *_LIPS)
_READ = (*_READ, _BRIDGE, _TIP, _BELOW_NOSE, _CHIN)
"""Landmarks that decide."""


def region_masks(landmarks: np.ndarray) -> RegionMasks:
    """The regions of a face, in the order of `REGIONS`.

    Args:
        landmarks: (478, 2 or 3) in sides of the aligned square.
    """
    return _masks(landmarks[list(_READ), :2].astype(np.float32).tobytes())


@functools.lru_cache(maxsize=16)  # while a head stands still, so do they
def _masks(read: bytes) -> RegionMasks:
    points = dict(zip(_READ, np.frombuffer(read, np.float32).reshape(-1, 2), strict=True))
    right, left = points[_OUTER_CORNERS["Right"]], points[_OUTER_CORNERS["Left"]]
    unit = max(float(np.linalg.norm(left - right)), 1e-3)
    along = (left - right) / unit
    across = np.array([-along[1], along[0]], np.float32)
    grid = _grid()

    def ellipse(centre: np.ndarray, axes: tuple[float, float]) -> np.ndarray:
        away = grid - centre
        u, v = away @ along / (axes[0] * unit), away @ across / (axes[1] * unit)
        return _smooth(1 - (np.hypot(u, v) - 1) * min(axes) / _FEATHER)

    middle = (points[_BRIDGE] + points[_TIP]) / 2
    on_left = _smooth(0.5 + (grid - middle) @ along / unit / _FEATHER)
    sides = {"Right": 1 - on_left, "Left": on_left}
    eyes, brows = [], []
    for side, own in sides.items():
        eye = (points[_OUTER_CORNERS[side]] + points[_INNER_CORNERS[side]]) / 2
        brow = ellipse(points[_BROWS[side]] - _BROW_RAISED * unit * across, _BROW)
        eyes.append(ellipse(eye, _EYE) * own)
        brows.append(np.maximum(brow, ellipse(eye, _EYE_OF_BROW)) * own)
    lips = (points[_LIPS[0]] + points[_LIPS[1]]) / 2
    mouth = ellipse(lips, _MOUTH)
    chin = lips + _JAW_MIDDLE * (points[_CHIN] - lips)
    below = (grid - points[_BELOW_NOSE]) @ across / unit
    jaw = np.maximum(mouth, ellipse(chin, _JAW)) * _smooth((below + _JAW_ABOVE) / _JAW_FADE)
    halves = [mouth * own for own in sides.values()]
    return RegionMasks(np.stack([*eyes, *brows, *halves, jaw]).astype(np.float32))


@functools.cache
def _grid() -> np.ndarray:
    """(MASK_SIDE, MASK_SIDE, 2) float32: x and y of the pixels' middles."""
    steps = (np.arange(MASK_SIDE, dtype=np.float32) + 0.5) / MASK_SIDE
    return np.stack(np.meshgrid(steps, steps), -1)


def _smooth(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(value, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
