"""The colours of a person alone, also where its edge lets the background through."""

from __future__ import annotations

import math

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.rasters import Raster


def person_colours(
    picture: np.ndarray, person: np.ndarray, size: int, factor: float = 1.0
) -> np.ndarray:
    """(h, w, 3) uint8 colours of the person alone, also where its edge lets the background through.

    Args:
        size: pixels from which the colours are taken.
        factor: how much coarser than the picture the means of these may be.
    """
    height, width = person.shape
    factor = max(int(factor), 1)
    small = (math.ceil(width / factor), math.ceil(height / factor))
    colours, weight = (
        cv2.resize(values, small, interpolation=cv2.INTER_AREA) for values in (picture, person)
    )
    other = cv2.resize(edge_colours(colours, weight, size // factor), (width, height))
    mixed = rasters.blended(other, picture.astype(np.float32), person)
    return np.asarray(rasters.saturated(mixed))


def edge_colours(picture: Raster, person: Raster, size: int) -> Raster:
    """(h, w, 3) float32: a person's own colours are these and the picture's (h, w, 3), mixed by the
    person's matte (h, w): all of them where it is 0. They are smooth.

    'Fast multi-level foreground estimation' in its blurred form (Forte 2021), two passes: with the
    means m and o of person and background, and w of the picture I person,
    m + w (I − w m − (1 − w) o) = w I + (1 − w) ((1 + w) m − w o).

    Args:
        size: pixels from which the colours are taken.
    """
    mean, outside = _means(rasters.floats(picture), person, max(size, 3), max(size // 4, 3))
    return mean + rasters.repeated(person, 3) * (mean - outside)


def _means(colours: Raster, person: Raster, *sizes: int) -> tuple[Raster, Raster]:
    """(h, w, 3) float32 each: colours of the person and of what is behind it, around each pixel."""
    weight, others = (rasters.repeated(share, 3) for share in (person, 1 - person))
    foreground = behind = mean = outside = colours
    for n, size in enumerate(sizes):
        inside = rasters.repeated(rasters.averaged(person, size), 3)
        if n:
            unexplained = colours - weight * mean - others * outside
            foreground = (mean + weight * unexplained).clip(0, 255)
            behind = outside.clip(0, 255)
        mean = rasters.averaged(foreground * weight, size) / (inside + 1e-5)
        outside = rasters.averaged(behind * others, size) / (1 - inside + 1e-5)
    return mean, outside


def shrunk(values: Raster, factor: int) -> Raster:
    """Values (h, w, …) averaged over squares of pixels; what is less than one at the ends is not in
    it."""
    height, width = (max(length // factor, 1) for length in values.shape[:2])
    values = values[: height * factor, : width * factor]
    return rasters.resized(values, (width, height), cv2.INTER_AREA)
