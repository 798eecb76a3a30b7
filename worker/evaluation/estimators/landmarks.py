"""68 landmarks of a face by dlib: other pictures, other points, another estimator than Net3D.

An ensemble of regression trees (Kazemi and Sullivan, "One millisecond face alignment with an
ensemble of regression trees", CVPR 2014) trained on iBUG 300-W. A single answer depends on the box
it starts from by about a pixel and a half of a 256² crop, so several boxes are averaged, in a
picture that has been turned upright and enlarged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from photorig.shared.errors import ModelError
from photorig.worker.registry import fetch

MODEL = "dlib-landmarks"
N_LANDMARKS = 68
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
"""Six points of each eye, the subject's sides; the first of the right eye is its outer corner."""

UPRIGHT_SIZE = 400
"""Side of the upright picture in pixels."""
_FACE_SHARE = 0.5  # of that side: the longer side of the landmarks' box
_SEARCH_TURNS = (0.0, 30.0, -30.0)  # degrees: the detector sees faces up to about 20° of roll
_BOX_SIDE, _BOX_LEFT, _BOX_RISE = 2.84, 0.07, 0.16
"""The detector's mean box about the landmarks' middle in units of their spread (2,596 faces).

Its place relative to the landmarks' bounding box changes with yaw: boxes placed by that made the
angles read from the landmarks twice as wrong.
"""
_BOXES = (
    # x, y: moves in sides of the box; its growth
    (0.0, 0.0, 0.0),
    (0.03, 0.015, 0.03),
    (-0.03, 0.015, -0.03),
    (0.015, -0.03, -0.05),
    (-0.015, -0.03, 0.05),
    (0.0, 0.03, 0.07),
)


@dataclass(frozen=True, eq=False)
class UprightFace:
    """A face cut out upright, at a fixed scale.

    Attributes:
        image: (UPRIGHT_SIZE, UPRIGHT_SIZE, 3) uint8.
        landmarks: (68, 2) float64 in pixels of it.
        to_photo: (2, 3) its pixels to those of the photo.
    """

    image: np.ndarray
    landmarks: np.ndarray
    to_photo: np.ndarray

    @cached_property
    def photo_landmarks(self) -> np.ndarray:
        """(68, 2) in pixels of the photo (pixel i covers [i, i + 1))."""
        return apply(self.to_photo, self.landmarks)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(2, 3) affine map of (n, 2) points."""
    return points @ matrix[:, :2].T + matrix[:, 2]


class LandmarkFinder:
    """dlib's detector and its 68-point shape predictor.

    Raises:
        ModelError: dlib is not installed, or its weights cannot be had.
    """

    def __init__(self) -> None:
        try:
            import dlib
        except ImportError as error:
            raise ModelError(
                "The judges need dlib, which is not installed",
                "Install Photorig with its extra: pip install 'photorig[evaluate]'.",
            ) from error
        path = fetch(MODEL) / "shape_predictor_68_face_landmarks.dat"
        self._rectangle = dlib.rectangle
        self._detect = dlib.get_frontal_face_detector()
        try:
            self._predict = dlib.shape_predictor(str(path))
        except RuntimeError as error:
            raise ModelError(
                f"The landmark judge cannot be read: {error}",
                f"Run `photorig models verify {MODEL}`.",
            ) from error

    def find(self, image: np.ndarray) -> UprightFace | None:
        """The largest face of (h, w, 3) uint8 sRGB, None where the detector sees none."""
        for turn in _SEARCH_TURNS:
            turned, back = _turned(image, turn)
            boxes = self._detect(turned, 0) or self._detect(turned, 1)
            if boxes:
                first = self._points(turned, max(boxes, key=lambda box: box.area()))
                return self._upright(image, apply(back, first))
        return None

    def _upright(self, image: np.ndarray, points: np.ndarray) -> UprightFace:
        to_photo = _upright_frame(points)
        upright = cv2.warpAffine(
            image,
            _between_pixel_centres(to_photo),
            (UPRIGHT_SIZE, UPRIGHT_SIZE),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        first = apply(cv2.invertAffineTransform(to_photo), points)
        found = [self._points(upright, self._rectangle(*box)) for box in _boxes(first)]
        return UprightFace(upright, np.mean(found, 0), to_photo)

    def _points(self, image: np.ndarray, box: object) -> np.ndarray:
        shape = self._predict(image, box)
        points = [(shape.part(i).x, shape.part(i).y) for i in range(N_LANDMARKS)]
        return np.array(points, np.float64) + 0.5  # dlib counts from the middle of the first pixel


def _boxes(points: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Left, top, right, bottom of the boxes to start from around (68, 2) landmarks."""
    middle = points.mean(0)
    spread = np.sqrt(((points - middle) ** 2).sum(1).mean())
    middle = middle - spread * np.array([_BOX_LEFT, _BOX_RISE])
    boxes = []
    for x, y, growth in _BOXES:
        side = spread * _BOX_SIDE
        low = middle + side * (np.array([x, y]) - (1 + growth) / 2)
        high = low + side * (1 + growth)
        boxes.append((round(low[0]), round(low[1]), round(high[0]), round(high[1])))
    return boxes


def _turned(image: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The image turned about its middle, and the (2, 3) map from its pixels to the original's."""
    if degrees == 0:
        return image, np.eye(2, 3)
    height, width = image.shape[:2]
    forward = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    back = cv2.invertAffineTransform(forward)
    size, matrix = (width, height), _between_pixel_centres(back)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size, flags=flags), back


def _between_pixel_centres(matrix: np.ndarray) -> np.ndarray:
    """A map of continuous coordinates as OpenCV wants it, whose pixel i has its middle at i."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5
    return shifted


def _upright_frame(points: np.ndarray) -> np.ndarray:
    """(2, 3) map from the upright picture to the photo that these landmarks were found in."""
    across = points[LEFT_EYE].mean(0) - points[RIGHT_EYE].mean(0)
    angle = math.atan2(across[1], across[0])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    level = points @ turn
    low, high = level.min(0), level.max(0)
    scale = float((high - low).max()) / (_FACE_SHARE * UPRIGHT_SIZE)
    linear = turn * scale
    middle = turn @ ((low + high) / 2)
    return np.column_stack([linear, middle - linear @ np.full(2, UPRIGHT_SIZE / 2)])
