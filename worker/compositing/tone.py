"""Photos without colours: grey, or of one tint. What a generator adds to them has none either."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.rasters import Raster

_LEVELS = 256
_SMOOTH = 6.0  # levels of brightness over which the tint is averaged
_MEAN_OFF, _MOST_OFF = 1.5, 8.0
"""Levels by which colours may differ from the tint of their brightness, in the mean and for all but
the hundredth part, in a photo without colours."""
_SIDE = 256  # pixels of the longer side at which that is found out


@dataclass(frozen=True, eq=False)
class Tone:
    """The tint of a photo.

    Attributes:
        table: (256, 3) uint8 sRGB by brightness.
    """

    table: np.ndarray

    def applied(self, picture: Raster) -> Raster:
        """A picture (h, w, 3) uint8 in this tint."""
        return rasters.looked_up(rasters.greys(picture), self.table)


def tone_of(photo: np.ndarray) -> Tone | None:
    """The tint of a photo (h, w, 3) uint8 sRGB; None if it has colours."""
    factor = max(max(photo.shape[:2]) / _SIDE, 1.0)
    size = (max(round(photo.shape[1] / factor), 1), max(round(photo.shape[0] / factor), 1))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    table = _table(small)
    off = np.abs(small.astype(np.float32) - Tone(table).applied(small)).max(-1)
    if off.mean() > _MEAN_OFF or np.percentile(off, 99) > _MOST_OFF:
        return None
    return Tone(table)


def _table(picture: np.ndarray) -> np.ndarray:
    """(256, 3) uint8: mean colour by brightness."""
    bright = rasters.greys(picture).ravel()
    tints = picture.reshape(-1, 3).astype(np.float64) - bright[:, None]
    counts = np.bincount(bright, minlength=_LEVELS).astype(np.float64)
    sums = [np.bincount(bright, tints[:, channel], _LEVELS) for channel in range(3)]
    weights, *averaged = (_averaged(values) for values in (counts, *sums))
    tint = np.stack(averaged, 1) / np.maximum(weights, 1e-9)[:, None]
    return np.clip(np.rint(np.arange(_LEVELS)[:, None] + tint), 0, 255).astype(np.uint8)


def _averaged(values: np.ndarray) -> np.ndarray:
    """Values (256,) averaged over neighbouring levels, however few there are nearby."""
    away = np.arange(_LEVELS)[:, None] - np.arange(_LEVELS)
    near = np.exp(-((away / _SMOOTH) ** 2) / 2) + 1e-6 / (1 + np.abs(away))
    return np.asarray(near @ values)
