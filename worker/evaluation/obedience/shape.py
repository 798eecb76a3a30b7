"""A face as its landmarks show it, in one frame of reference for rest and driven frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

N_POINTS = 68
RIGHT_CORNERS, LEFT_CORNERS = (36, 39), (42, 45)
"""Corners of the eyes among the 68 landmarks, the subject's sides."""
BRIDGE = (27, 28, 29, 30)
STABLE = (*RIGHT_CORNERS, *LEFT_CORNERS, *BRIDGE)
"""What no expression moves: by these a driven face is laid over the face at rest."""


def eye_middles(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2,) each: the midpoint of the corners of the subject's right and left eye."""
    return points[list(RIGHT_CORNERS)].mean(0), points[list(LEFT_CORNERS)].mean(0)


def eye_distance(points: np.ndarray) -> float:
    """Between the middles of the two eyes of (68, 2) landmarks."""
    right, left = eye_middles(points)
    return float(np.linalg.norm(left - right))


@dataclass(frozen=True, eq=False)
class FaceFrame:
    """The frame of reference of a face at rest.

    Its origin lies between the eyes, x goes along the line through them to image right (the
    subject's left), y up, and the unit is the distance between their middles.

    Attributes:
        rest: (68, 2) landmarks at rest, pixels.
    """

    rest: np.ndarray

    @property
    def unit(self) -> float:
        """Pixels."""
        return eye_distance(self.rest)

    @property
    def axes(self) -> np.ndarray:
        """(2, 2) unit vectors x and y in pixels of the picture, as rows."""
        right, left = eye_middles(self.rest)
        x = (left - right) / np.linalg.norm(left - right)
        return np.array([x, [x[1], -x[0]]])

    def of_pixels(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) pixels of the picture at rest in this frame of reference."""
        right, left = eye_middles(self.rest)
        return self.of_vectors(points - (left + right) / 2)

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """The inverse of `of_pixels`."""
        right, left = eye_middles(self.rest)
        return points @ self.axes * self.unit + (left + right) / 2

    def of_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """(n, 2) moves in pixels in this frame of reference."""
        return np.asarray(vectors @ self.axes.T / self.unit)

    def aligned(self, driven: np.ndarray) -> np.ndarray:
        """(68, 2) landmarks of another frame of the same face, laid over rest by what stays."""
        stable = list(STABLE)
        return self.of_pixels(aligned_to(driven, driven[stable], self.rest[stable]))


def aligned_to(points: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n, 2) points through the turn, scale and shift that bring source (k, 2) nearest target."""
    a, b = source - source.mean(0), target - target.mean(0)
    power = float((a * a).sum())
    cosine = float((a * b).sum()) / power
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / power
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray((points - source.mean(0)) @ turn.T + target.mean(0))
