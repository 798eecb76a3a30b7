"""Smooth fields of large pictures: found on a coarse raster, enlarged where they are used."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from photorig.worker import rasters
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.rasters import Raster
from photorig.worker.rasters import blended as blended

Part = tuple[slice, slice]
"""Rows and columns of a picture, each with a start and a stop within it."""

_TILE = (128, 256)
"""Rows and columns that are worked on at a time: they stay in the processor's cache, and where
nothing has to be done there nothing is."""


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

    def enlarged(self, field: Raster, part: Part | None = None) -> Raster:
        """A field (m, n, …) float32 on the raster as it lies on the picture, (h, w, …) of all of it
        or of a part."""
        rows, columns = part or (slice(0, self.picture[0]), slice(0, self.picture[1]))
        if self.factor == 1:
            return field[rows, columns]
        near_rows, near_columns = self.around((rows, columns))
        near = field[near_rows, near_columns]
        size = (near.shape[1] * self.factor, near.shape[0] * self.factor)
        large = rasters.resized(near, size)
        top, left = (
            side.start - (rough.start - self.margin) * self.factor
            for side, rough in ((rows, near_rows), (columns, near_columns))
        )
        height, width = rows.stop - rows.start, columns.stop - columns.start
        return large[top : top + height, left : left + width]

    def around(self, part: Part) -> Part:
        """Rows and columns of the raster that a part of the picture lies between."""
        if self.factor == 1:
            return part
        rows, columns = (
            slice(side.start // self.factor, -(-side.stop // self.factor) + 2) for side in part
        )
        return rows, columns

    def covering(self, part: Part) -> Part:
        """Rows and columns of the picture for which a part of the raster counts."""
        if self.factor == 1:
            return part
        rows, columns = (
            slice(
                max((side.start - self.margin - 1) * self.factor, 0),
                min((side.stop - self.margin + 1) * self.factor, length),
            )
            for side, length in zip(part, self.picture, strict=True)
        )
        return rows, columns


@functools.lru_cache(maxsize=8)
def _positions(coarse: Coarse) -> np.ndarray:
    def middles(length: int) -> np.ndarray:
        return ((np.arange(length) - coarse.margin + 0.5) * coarse.factor - 0.5).astype(np.float32)

    height, width = coarse.shape
    result = np.stack(np.meshgrid(middles(width), middles(height)), -1)
    result.flags.writeable = False
    return result


def box(where: Raster) -> Part:
    """Rows and columns that hold what is True (h, w), empty ones where nothing is; all of them of a
    tensor, which nothing waits for."""
    if not rasters.is_array(where):
        return slice(0, where.shape[0]), slice(0, where.shape[1])
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def tiles(part: Part, picture: Raster) -> Iterator[Part]:
    """A part of a picture, a little at a time; of a tensor, all at once."""
    rows, columns = part
    if not rasters.is_array(picture):
        yield part
        return
    for top in range(rows.start, rows.stop, _TILE[0]):
        for left in range(columns.start, columns.stop, _TILE[1]):
            yield (
                slice(top, min(top + _TILE[0], rows.stop)),
                slice(left, min(left + _TILE[1], columns.stop)),
            )


def within(part: Part, inner: Part) -> Part:
    """A part of a part, counted from the whole picture's corner."""
    rows, columns = (
        slice(outer.start + side.start, outer.start + side.stop)
        for outer, side in zip(part, inner, strict=True)
    )
    return rows, columns
