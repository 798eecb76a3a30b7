"""FFHQ alignment: the square around a head that StyleGAN faces live in.

An *alignment* is a (2, 3) float64 affine map from photo pixels (x, y, 1) to the aligned crop, whose
corners are (0, 0) and (1, 1). Pixel i covers [i, i + 1). The square may reach beyond the photo.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from photorig.shared.errors import InputError

_RIGHT_EYE, _LEFT_EYE = (33, 133), (362, 263)  # corners, the subject's sides
_MOUTH = (61, 291)
# In sides of the square. Blurs: from this far outside, complete there, radius.
_BLURS = ((0.0, 0.03, 0.02), (0.03, 0.12, 0.06))
_FADE = 0.05, 0.45  # from the mirror image to the crop's median colour
_MIRRORED = 8  # sizes of the photo up to which it is mirrored


def align_face(landmarks: np.ndarray) -> np.ndarray:
    """The alignment of a face as FFHQ's authors cut it (Karras et al. 2019, recreate_aligned).

    Args:
        landmarks: (478, 2 or 3) photo pixels.

    Raises:
        InputError: eyes and mouth lie in one point.
    """
    points = np.asarray(landmarks, np.float64)[:, :2]
    right, left = points[list(_RIGHT_EYE)].mean(0), points[list(_LEFT_EYE)].mean(0)
    eyes, mouth = (left + right) / 2, points[list(_MOUTH)].mean(0)
    across, down = left - right, mouth - eyes
    # The mean of both directions keeps the square upright for turned and nodding heads.
    x_axis = across - np.array([-down[1], down[0]])
    length = float(np.hypot(*x_axis))
    if not math.isfinite(length) or length < 1e-6:
        raise InputError("The face is too small to align", "Use a larger picture.")
    x_axis /= length
    side = 2 * max(float(np.hypot(*across)) * 2.0, float(np.hypot(*down)) * 1.8)
    centre = eyes + 0.1 * down
    linear = np.array([x_axis, [-x_axis[1], x_axis[0]]]) / side
    return np.column_stack([linear, 0.5 - linear @ centre])


def side_in_pixels(alignment: np.ndarray) -> float:
    """How many photo pixels one side of the aligned square spans."""
    return 1 / math.sqrt(abs(float(np.linalg.det(alignment[:, :2]))))


def to_aligned(points: np.ndarray, alignment: np.ndarray) -> np.ndarray:
    """(n, 2) photo pixels to positions in the unit square."""
    return points @ alignment[:, :2].T + alignment[:, 2]


def to_photo(points: np.ndarray, alignment: np.ndarray) -> np.ndarray:
    """(n, 2) positions in the unit square to photo pixels."""
    return (points - alignment[:, 2]) @ np.linalg.inv(alignment[:, :2]).T


def aligned_crop(photo: np.ndarray, alignment: np.ndarray, size: int) -> np.ndarray:
    """The aligned square, sampled between pixels and low-pass filtered where it shrinks.

    Outside the photo its mirror image continues, more and more blurred and of one colour, as in
    FFHQ: half a face at the edge must not become a second one. Inside, the photo is left alone.

    Args:
        photo: (h, w, 3) uint8.
        size: side of the result in pixels.

    Returns:
        (size, size, 3) uint8.
    """
    outside = _distance_outside(photo.shape[:2], alignment, size)
    photo, alignment = _shrunk(photo, alignment, size)
    # Twice as dense, then averaged: what is left of the shrinking is at most a factor of two.
    samples = 2 * size if side_in_pixels(alignment) > size else size
    scale = np.diag([samples, samples])
    matrix = scale @ alignment
    # OpenCV counts from pixel centres: p' = M (p + ½) − ½
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
    crop = _warped(photo, matrix, samples)
    if samples != size:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return crop if outside is None else _softened(crop, outside)


def _warped(photo: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3): the photo, and around it its mirror image, moved by a matrix (2, 3)."""
    height, width = photo.shape[:2]
    # Of a single row or column OpenCV looks for the mirror image without end; it is that pixel.
    border = cv2.BORDER_REFLECT_101 if min(height, width) > 1 else cv2.BORDER_REPLICATE
    corners = np.array([[0.0, 0], [size, 0], [size, size], [0, size]])
    places = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    reach = _MIRRORED * np.array([width, height], np.float64)
    if (places.min(0) >= -reach).all() and (places.max(0) <= reach).all():
        return np.asarray(
            cv2.warpAffine(photo, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=border)
        )
    # OpenCV mirrors once for each width of the photo on the way: far away from a small photo that
    # takes for ever. So far away there is nothing to see but its colour.
    inverse = np.linalg.inv(matrix[:, :2])
    across, down = np.meshgrid(np.arange(size) - matrix[0, 2], np.arange(size) - matrix[1, 2])
    x = np.clip(
        inverse[0, 0] * across + inverse[0, 1] * down, -_MIRRORED * width, _MIRRORED * width
    )
    y = np.clip(
        inverse[1, 0] * across + inverse[1, 1] * down, -_MIRRORED * height, _MIRRORED * height
    )
    x, y = x.astype(np.float32), y.astype(np.float32)
    return np.asarray(cv2.remap(photo, x, y, cv2.INTER_CUBIC, borderMode=border))


def _distance_outside(
    photo_size: tuple[int, int], alignment: np.ndarray, size: int
) -> np.ndarray | None:
    """(size, size) float32: how far each pixel of the crop lies outside the photo, in sides of the
    square, 0 inside; None where all of them are inside."""
    corners = to_photo(np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), alignment)
    height, width = photo_size
    if corners.min() >= 0 and (corners.max(0) <= [width, height]).all():
        return None
    inverse = np.linalg.inv(alignment[:, :2])
    steps = (np.arange(size) + 0.5) / size
    u, v = steps[None, :] - alignment[0, 2], steps[:, None] - alignment[1, 2]
    x = inverse[0, 0] * u + inverse[0, 1] * v
    y = inverse[1, 0] * u + inverse[1, 1] * v
    beyond = np.maximum(np.maximum(-x, x - width), np.maximum(-y, y - height))
    return (np.maximum(beyond, 0) / side_in_pixels(alignment)).astype(np.float32)


def _softened(crop: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Blurred and faded with the distance outside, in steps of _BLURS."""
    size = len(crop)
    result = crop.astype(np.float32)
    for start, end, radius in _BLURS:
        blurred = cv2.GaussianBlur(crop, (0, 0), radius * size).astype(np.float32)
        result += (blurred - result) * _ramp(outside, start, end)
    colour = np.median(crop[::4, ::4].reshape(-1, 3), 0).astype(np.float32)
    result += (colour - result) * _ramp(outside, *_FADE)
    # What is inside went through floats for nothing: it is the photo, bit for bit.
    return np.where(outside[..., None] > 0, np.rint(result), crop).astype(np.uint8)


def _ramp(outside: np.ndarray, start: float, end: float) -> np.ndarray:
    return np.clip((outside - start) / (end - start), 0, 1)[..., None]


def _shrunk(photo: np.ndarray, alignment: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo with much more detail than the crop needs, averaged down first."""
    factor = side_in_pixels(alignment) / size
    if factor <= 2:
        return photo, alignment
    height, width = photo.shape[:2]
    smaller = (max(round(width / factor), 1), max(round(height / factor), 1))
    stretch = np.diag([width / smaller[0], height / smaller[1]])
    result = cv2.resize(photo, smaller, interpolation=cv2.INTER_AREA)
    return result, np.column_stack([alignment[:, :2] @ stretch, alignment[:, 2]])
