"""Where a portrait's head is: the neck it turns on, the chin, and how large a centimetre is."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch

from photorig.shared.parameters.head import FIELD_OF_VIEW, HEAD_PIVOT
from photorig.worker.faces.landmarker import FaceLandmarker, load_landmarker
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

from .head_motion import HeadPlace

_CHIN_CENTRE = (0.0, -3.6, 2.0)  # jaw and chin are an arc around it
_CHIN_RADIUS = 6.6  # half a centimetre more than that arc: room for a mouth that opens
_SURFACE = 2.0  # cm by which the face's skin is nearer than the canonical face's origin

_MEASURED_SIZE = 256
_USUAL = HeadPlace(
    pivot=np.array([0.5, 0.82]),
    chin=np.array([0.5, 0.68]),
    chin_radius=0.24,
    centre=np.array([0.5, 0.5]),
    pixels_per_cm=1 / 28.8,
)
"""Of an FFHQ-aligned square with side 1, for a head whose face is not found."""


class HeadFinder(Protocol):
    """What the layers need to know where heads are."""

    def find(self, portrait: Portrait) -> HeadPlace:
        """The head in the aligned square, whose side is 1."""
        ...


class LandmarkedHeads:
    """Implements `HeadFinder` with the face landmarker, which is read for the first portrait."""

    def __init__(self) -> None:
        self._landmarker: FaceLandmarker | None = None

    @torch.inference_mode()
    def find(self, portrait: Portrait) -> HeadPlace:
        """See `HeadFinder.find`. Raises ModelError where the weights cannot be had."""
        if self._landmarker is None:
            self._landmarker = load_landmarker()
        crop = portrait.alignment.crop(portrait.photo, _MEASURED_SIZE)
        pixels = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
        (region,) = self._landmarker.detect(pixels)
        if region is None:
            return _USUAL
        measured = self._landmarker.measure(pixels, [region])
        return place_of(measured.transform[0].numpy())


def place_of(transform: np.ndarray) -> HeadPlace:
    """The head in a square picture of side 1, from MediaPipe's facial transformation matrix (4, 4).

    Seen without perspective: the crop hides the camera's true distance.
    """
    transform = np.asarray(transform, np.float64)
    focal = 0.5 / math.tan(math.radians(FIELD_OF_VIEW) / 2)
    distance = -transform[2, 3] - _SURFACE
    unit = focal / distance
    scale = float(np.cbrt(np.linalg.det(transform[:3, :3])))

    def seen(point: tuple[float, float, float]) -> np.ndarray:
        x, y, _ = transform[:3, :3] @ np.array(point) + transform[:3, 3]
        return np.array([0.5 + x * unit, 0.5 - y * unit])

    return HeadPlace(
        pivot=seen(HEAD_PIVOT),
        chin=seen(_CHIN_CENTRE),
        chin_radius=_CHIN_RADIUS * scale * unit,
        centre=np.array([0.5, 0.5]),
        pixels_per_cm=scale * unit,
    )


def in_window(place: HeadPlace, alignment: Alignment, corner: np.ndarray) -> HeadPlace:
    """A place in the unit square as it lies in the photo, counted from a window's corner (2,)."""
    points = np.stack([place.pivot, place.chin, place.centre, place.centre + [1, 0]])
    pivot, chin, centre, right = alignment.to_photo(points) - corner
    side = alignment.side
    axis = complex(*(right - centre)) / side
    return HeadPlace(
        pivot, chin, place.chin_radius * side, centre, place.pixels_per_cm * side, side, axis
    )
