"""In what colours the generator's picture is shown beside the photo's pixels.

Everything is found at the resolution of small pictures, for it is smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .coarse import Part
from .rest_head import COLOUR_SIDE

_REACH = 0.03  # sides of the square, from how far colours are told apart
_LEAST_TRUST = 0.02
_UNLIKE = 25.0
"""Levels by which two pictures of the same skin hardly differ more than they do in the mean."""
_SOFT_SKIN = 2.5
"""Points of `COLOUR_SIDE` over which skin that is stretched far is averaged."""
_OTHER = 12.0
"""Levels by which skin that only the generator has seen may differ from the photo's beside it."""


@dataclass(frozen=True, eq=False)
class DrawnColours:
    """How the colours of the generator's picture are changed, on a raster.

    Attributes:
        apart: (m, n, 3) float32, by how much the photo's colours differ where skin of both is seen;
            further away, and where something else than skin seems to differ, as on the whole of it.
        skin: (m, n, 3) float32, the photo's skin, out of focus, for it is stretched far.
        is_skin: (m, n) float32, how far that is shown instead, for the generator's is no skin as
            the photo's beside it.
    """

    apart: np.ndarray
    skin: np.ndarray
    is_skin: np.ndarray

    @staticmethod
    def none(shape: tuple[int, int]) -> DrawnColours:
        """Of a raster on which only the photo is seen."""
        colours = np.zeros((*shape, 3), np.float32)
        return DrawnColours(colours, colours, colours[..., 0])

    @staticmethod
    def of(
        carried: np.ndarray, drawn: np.ndarray, both: np.ndarray, skin: np.ndarray, unit: float
    ) -> DrawnColours:
        """Of the photo's pixels and the generator's.

        Args:
            carried, drawn: (m, n, 3) uint8.
            both: (m, n) float32, where both show the face.
            skin: (m, n) float32, where the photo shows skin that is stretched far.
            unit: pixels of the square's side.
        """
        differ = carried.astype(np.float32) - drawn
        whole = (differ * both[..., None]).sum((0, 1)) / max(float(both.sum()), _LEAST_TRUST)
        weight = both * np.exp(-_odd(differ - whole, _UNLIKE))
        reach = _REACH * unit
        total = cv2.merge([cv2.GaussianBlur(weight, (0, 0), reach) + _LEAST_TRUST] * 3)
        own = (differ - whole) * cv2.merge([weight] * 3)
        apart = (cv2.GaussianBlur(own, (0, 0), reach) / total + whole).astype(np.float32)
        if not (skin > _LEAST_TRUST).any():
            return DrawnColours(apart, np.zeros_like(apart), np.zeros_like(skin))
        reach = _SOFT_SKIN * unit / COLOUR_SIDE
        total = cv2.merge([cv2.GaussianBlur(skin, (0, 0), reach) + np.float32(_LEAST_TRUST)] * 3)
        soft = carried.astype(np.float32) * cv2.merge([skin] * 3)
        soft = cv2.GaussianBlur(soft, (0, 0), reach) / total
        shown = np.clip(drawn + apart, 0, 255)
        return DrawnColours(apart, soft, 1 - np.exp(-cv2.blur(_odd(soft - shown, _OTHER), (3, 3))))

    def enlarged(self, part: Part, shape: tuple[int, int], skin: np.ndarray) -> DrawnColours:
        """These in a part of a finer raster of that shape, and nothing beside it.

        Args:
            skin: (m, n) float32 of that raster, as of `of`.
        """
        height, width = skin[part].shape
        apart, soft = (np.zeros((*shape, 3), np.float32) for _ in range(2))
        for fine, own in ((apart, self.apart), (soft, self.skin)):
            fine[part] = cv2.resize(own, (width, height))
        is_skin = skin.copy()
        is_skin[part] *= cv2.resize(self.is_skin, (width, height))
        return DrawnColours(apart, soft, is_skin)


def _odd(differ: np.ndarray, levels: float) -> np.ndarray:
    """(m, n) float32: mean square of a difference (m, n, 3) by that many levels."""
    return cv2.transform(differ * differ, np.full((1, 3), 1 / (3 * levels**2)))
