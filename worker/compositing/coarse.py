"""Smooth fields of large pictures: found on a coarse raster, enlarged where they are used."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from photorig.worker import rasters
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.rasters import Raster
from photorig.worker.rasters import blended as blended


@dataclass(frozen=True)
class Coarse:
    """A raster whose pixels are ``factor`` times as large as those of a picture.

    It goes one of them beyond the picture on each side, so that fields need no continuation; where
    the factor is 1 it is the picture's own.

    Attributes:
        picture: height and width of the picture.
        factor: pixels of the picture along one of the raster's.
    """

    picture: tuple[int, int]
    factor: int

    @staticmethod
    def of(picture: tuple[int, int], factor: float) -> Coarse:
        """The finest raster that is at most that much coarser than the picture."""
        return Coarse((int(picture[0]), int(picture[1])), max(int(factor + 1e-6), 1))

    @property
    def margin(self) -> int:
        """Pixels of the raster before the picture begins."""
        return int(self.factor > 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the raster."""
        height, width = (
            math.ceil(length / self.factor) + 2 * self.margin for length in self.picture
        )
        return height, width

    @property
    def positions(self) -> np.ndarray:
        """(m, n, 2) float32: where in the picture the raster's pixels have their middles, x and y
        as OpenCV counts them; not writeable."""
        return _positions(self)

    def alignment(self, alignment: Alignment) -> Alignment:
        """From the raster's pixels, of one from the picture's."""
        return alignment.coarser(self.factor, self.margin)

    def enlarged(self, field: Raster) -> Raster:
        """A field (m, n, …) float32 on the raster as it lies on the picture (h, w, …)."""
        if self.factor == 1:
            return field
        size = (field.shape[1] * self.factor, field.shape[0] * self.factor)
        large = rasters.resized(field, size)
        height, width = self.picture
        return large[self.factor :, self.factor :][:height, :width]


@functools.lru_cache(maxsize=8)
def _positions(coarse: Coarse) -> np.ndarray:
    def middles(length: int) -> np.ndarray:
        return ((np.arange(length) - coarse.margin + 0.5) * coarse.factor - 0.5).astype(np.float32)

    height, width = coarse.shape
    result = np.stack(np.meshgrid(middles(width), middles(height)), -1)
    result.flags.writeable = False
    return result
