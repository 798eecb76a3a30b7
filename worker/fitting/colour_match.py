"""Photos of a person brought into one light, so that a face keeps its colours as it turns."""

from __future__ import annotations

import cv2
import numpy as np

from photorig.worker.faces.net3d import FaceMeasurement
from photorig.worker.portraits.alignment import Alignment

_SIDE = 128
_INNER = 0.86  # the hull of the landmarks, without its rim: hair and background begin there
_LEAST_CONTRAST, _MOST_CONTRAST = 0.6, 1.6


def in_light_of(
    photo: np.ndarray, face: FaceMeasurement, other: np.ndarray, other_face: FaceMeasurement
) -> np.ndarray:
    """A photo (h, w, 3) uint8 whose face has the mean and the contrast of each colour that the face
    of the other photo has (Reinhard et al. 2001, on the face)."""
    mean, deviation = _colours(photo, face)
    wanted_mean, wanted_deviation = _colours(other, other_face)
    contrast = np.clip(
        wanted_deviation / np.maximum(deviation, 1.0), _LEAST_CONTRAST, _MOST_CONTRAST
    )
    levels = np.arange(256)[:, None]
    table = (levels - mean) * contrast + wanted_mean
    table = np.clip(np.rint(table), 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(photo, table))


def _colours(photo: np.ndarray, face: FaceMeasurement) -> tuple[np.ndarray, np.ndarray]:
    """(3,) mean and (3,) standard deviation of the skin's levels, eyes and mouth included."""
    alignment = Alignment.of_face(face.landmarks)
    crop = alignment.crop(photo, _SIDE)
    places = alignment.to_square(np.asarray(face.landmarks, np.float64)[:, :2]) * _SIDE
    places = places.mean(0) + _INNER * (places - places.mean(0))
    mask = np.zeros(crop.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(places).astype(np.int32)), 1)
    inside = crop[mask > 0].astype(np.float64)
    if not len(inside):
        return np.full(3, 127.5), np.full(3, 50.0)
    return inside.mean(0), inside.std(0)
