"""FFHQ alignment: the square around a head that StyleGAN faces live in.

Pixel i of a photo covers [i, i + 1); OpenCV counts from pixels' middles, `Alignment.for_opencv` is
where the one becomes the other. The square may reach beyond the photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.worker import rasters
from photorig.worker.rasters import Raster

_RIGHT_EYE, _LEFT_EYE = (33, 133), (362, 263)  # corners, the subject's sides
_MOUTH = (61, 291)
# In sides of the square. Blurs: from this far outside, complete there, radius.
_BLURS = ((0.0, 0.03, 0.02), (0.03, 0.12, 0.06))
_FADE = 0.05, 0.45  # from the mirror image to the crop's median colour
_MIRRORED = 8  # sizes of the photo up to which it is mirrored
_CORNERS = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where the aligned square lies in a photo, or in another raster of pixels.

    Attributes:
        matrix: (2, 3) float64 affine map from photo pixels (x, y, 1) to the square, whose corners
            are (0, 0) and (1, 1).
    """

    matrix: np.ndarray

    def __post_init__(self) -> None:
        if self.matrix.shape != (2, 3):
            raise ValueError(f"an alignment of the shape {self.matrix.shape}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alignment) and np.array_equal(self.matrix, other.matrix)

    def __hash__(self) -> int:
        return hash(self.matrix.tobytes())

    @staticmethod
    def of_face(landmarks: np.ndarray) -> Alignment:
        """Of a face, as FFHQ's authors cut it (Karras et al. 2019, recreate_aligned).

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
        return Alignment(np.column_stack([linear, 0.5 - linear @ centre]))

    @staticmethod
    def upright(side: float, left: float = 0, top: float = 0) -> Alignment:
        """Of an upright square of so many pixels at (left, top); by default a photo that already is
        an aligned crop."""
        return Alignment(np.array([[1 / side, 0, -left / side], [0, 1 / side, -top / side]]))

    @cached_property
    def side(self) -> float:
        """How many photo pixels one side of the square spans."""
        return 1 / math.sqrt(abs(float(np.linalg.det(self.matrix[:, :2]))))

    @cached_property
    def to_pixels(self) -> np.ndarray:
        """(2, 2): a step in the square, in its sides, as a step in photo pixels."""
        return np.linalg.inv(self.matrix[:, :2])

    @property
    def roll(self) -> float:
        """Degrees, counter-clockwise, by which the square lies turned in its photo."""
        return -math.degrees(math.atan2(self.matrix[0, 1], self.matrix[0, 0]))

    @property
    def corners(self) -> np.ndarray:
        """(4, 2) photo pixels, clockwise from (0, 0)."""
        return self.to_photo(_CORNERS)

    @property
    def middle(self) -> np.ndarray:
        """(2,) photo pixels."""
        return self.to_photo(np.array([[0.5, 0.5]]))[0]

    def to_square(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) photo pixels to positions in the square."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) positions in the square to photo pixels."""
        return (points - self.matrix[:, 2]) @ self.to_pixels.T

    def middles(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Where in the square the middle of each pixel of a raster lies, (h, w) float64 each."""
        (a, b, c), (d, e, f) = self.matrix
        x, y = np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5
        return (a * x + c)[None, :] + (b * y)[:, None], (d * x + f)[None, :] + (e * y)[:, None]

    def from_corner(self, x: float, y: float) -> Alignment:
        """The same square, pixels counted from another corner."""
        return Alignment(np.column_stack([self.matrix[:, :2], self.matrix @ [x, y, 1.0]]))

    def coarser(self, factor: float, margin: float) -> Alignment:
        """The same square in a raster of pixels ``factor`` times as large, ``margin`` of which come
        before this one begins."""
        linear = self.matrix[:, :2] * factor
        return Alignment(np.column_stack([linear, self.matrix[:, 2] - margin * linear.sum(1)]))

    def widened(self, size: float, margin: float) -> Alignment:
        """The square around this one, with ``margin`` more on each side of its ``size``."""
        wider = self.matrix * size + [[0, 0, margin], [0, 0, margin]]
        return Alignment(wider / (size + 2 * margin))

    def for_opencv(self, size: float, low: float | np.ndarray = 0.0) -> np.ndarray:
        """(2, 3) from photo pixels to pixels of a raster with ``size`` of them along the square,
        whose first ones begin at ``low`` in the square; both counted as OpenCV does, from pixels'
        middles: p' = M (p + ½) − ½."""
        matrix = self.matrix.copy()
        matrix[:, 2] -= low
        matrix *= size
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5
        return matrix

    def is_whole(self, shape: tuple[int, ...]) -> bool:
        """Whether a raster of that height and width is the square itself, at some size."""
        side = shape[0]
        is_unit = np.allclose(self.matrix * side, np.eye(2, 3), rtol=0, atol=1e-6)
        return side == shape[1] and is_unit

    def placed(self, square: Raster, shape: tuple[int, ...], beyond: float | None = None) -> Raster:
        """What lies in the square (s, s, …) as it lies in the raster of pixels.

        Args:
            shape: height and width of the raster.
            beyond: what is outside the square; None continues its edges.

        Returns:
            (h, w, …); it may be the square itself, which must not be written to.
        """
        size = square.shape[0]
        if self.is_whole(shape):
            if shape[0] == size:
                return square
            way = cv2.INTER_AREA if shape[0] < size else cv2.INTER_LINEAR
            return rasters.resized(square, (shape[1], shape[0]), way)
        if self.side < size:  # shrink with an average first: warping alone would alias
            size = max(round(self.side), 1)
            square = rasters.resized(square, (size, size), cv2.INTER_AREA)
        return self.warped(square, shape, size, beyond=beyond)

    def warped(
        self,
        values: Raster,
        shape: tuple[int, ...],
        size: float,
        low: float | np.ndarray = 0.0,
        beyond: float | None = None,
    ) -> Raster:
        """Values (m, n, …) on a raster of the square, see `for_opencv`, as they lie in the raster
        of pixels, between them by straight lines; shape and beyond as of `placed`."""
        border = cv2.BORDER_REPLICATE if beyond is None else cv2.BORDER_CONSTANT
        matrix = self.for_opencv(size, low)
        return rasters.warped(values, matrix, (shape[0], shape[1]), border, beyond or 0.0)

    def crop(self, photo: np.ndarray, size: int) -> np.ndarray:
        """The aligned square, sampled between pixels and low-pass filtered where it shrinks.

        Outside the photo its mirror image continues, more and more blurred and of one colour, as in
        FFHQ: half a face at the edge must not become a second one. Inside, the photo is left alone.

        Args:
            photo: (h, w, 3) uint8.
            size: side of the result in pixels.

        Returns:
            (size, size, 3) uint8.
        """
        outside = _distance_outside(photo.shape[:2], self, size)
        photo, alignment = _shrunk(photo, self, size)
        # Twice as dense, then averaged: what is left of the shrinking is at most a factor of two.
        samples = 2 * size if alignment.side > size else size
        crop = _mirrored(photo, alignment.for_opencv(samples), samples)
        if samples != size:
            crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
        return crop if outside is None else _softened(crop, outside)


def _mirrored(photo: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
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
    photo_size: tuple[int, int], alignment: Alignment, size: int
) -> np.ndarray | None:
    """(size, size) float32: how far each pixel of the crop lies outside the photo, in sides of the
    square, 0 inside; None where all of them are inside."""
    corners = alignment.corners
    height, width = photo_size
    if corners.min() >= 0 and (corners.max(0) <= [width, height]).all():
        return None
    inverse, start = alignment.to_pixels, alignment.matrix[:, 2]
    steps = (np.arange(size) + 0.5) / size
    u, v = steps[None, :] - start[0], steps[:, None] - start[1]
    x = inverse[0, 0] * u + inverse[0, 1] * v
    y = inverse[1, 0] * u + inverse[1, 1] * v
    beyond = np.maximum(np.maximum(-x, x - width), np.maximum(-y, y - height))
    return (np.maximum(beyond, 0) / alignment.side).astype(np.float32)


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


def _shrunk(photo: np.ndarray, alignment: Alignment, size: int) -> tuple[np.ndarray, Alignment]:
    """A photo with much more detail than the crop needs, averaged down first."""
    factor = alignment.side / size
    if factor <= 2:
        return photo, alignment
    height, width = photo.shape[:2]
    smaller = (max(round(width / factor), 1), max(round(height / factor), 1))
    stretch = np.diag([width / smaller[0], height / smaller[1]])
    result = cv2.resize(photo, smaller, interpolation=cv2.INTER_AREA)
    matrix = alignment.matrix
    return result, Alignment(np.column_stack([matrix[:, :2] @ stretch, matrix[:, 2]]))
