"""What pixels of a driven frame tell without any estimator: weave, colour, change where none is
asked for."""

from __future__ import annotations

import cv2
import numpy as np

from .shape import FaceFrame

_BLOCK = 16
_MARGIN = 0.35  # of the face's outline, in eye distances
_FOREHEAD = 0.5  # how far the outline goes above the brows, likewise


def luminance(image: np.ndarray) -> np.ndarray:
    """(h, w) float64 levels of 255."""
    return np.asarray(image @ np.array([0.299, 0.587, 0.114]))


def weave(image: np.ndarray) -> float:
    """Strength of a checker of two pixels, in levels: root mean square over blocks of 16² pixels
    of the luminance's component at the highest frequency of both axes.

    A checker of ± a levels all over gives a; noise of deviation σ gives σ / 16. NaN for a picture
    smaller than a block.
    """
    if min(image.shape[:2]) < _BLOCK:
        return float("nan")
    bright = luminance(image)
    height, width = (side - side % _BLOCK for side in bright.shape)
    rows, columns = np.indices((height, width))
    checked = bright[:height, :width] * np.where((rows + columns) % 2, -1.0, 1.0)
    blocks = checked.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).mean((1, 3))
    return float(np.sqrt(np.square(blocks).mean()))


def box_of(mask: np.ndarray) -> np.ndarray:
    """(4,) left, top, right, bottom of what a mask covers; all of it where that is nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return np.array([0, 0, mask.shape[1], mask.shape[0]])
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def cut(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The part of a picture in a box, as far as the picture goes."""
    left, top, right, bottom = np.rint(box).astype(int).clip(0)
    return image[top:bottom, left:right]


def chroma(image: np.ndarray) -> tuple[float, float]:
    """Largest difference between a pixel's channels, and that of all but the most colourful
    thousandth; 0 for a grey picture."""
    colour = image.max(-1).astype(np.int16) - image.min(-1)
    return float(colour.max()), float(np.percentile(colour, 99.9))


def face_outline(face: FaceFrame, shape: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: jaw to forehead with a margin, in the picture at rest."""
    brows = face.rest[17:27] + face.axes[1] * _FOREHEAD * face.unit
    points = np.concatenate([face.rest, brows])
    hull = cv2.convexHull(np.rint(points).astype(np.int32))
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, hull, 1)
    side = 2 * round(_MARGIN * face.unit) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(mask, kernel) > 0)


def change(first: np.ndarray, second: np.ndarray, mask: np.ndarray) -> float:
    """Mean difference over a mask (h, w) in levels; NaN where it is empty."""
    if not mask.any():
        return float("nan")
    return float(np.abs(first[mask].astype(np.float32) - second[mask]).mean())
