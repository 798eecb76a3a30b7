"""What goes on beyond the edges of a picture: hair, shoulders, and a head that an edge has cut."""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.rasters import Raster

_HEAD_RADIUS = 0.33  # of a usual head, in sides of the aligned square
_LONGEST_ABOVE, _LONGEST_ASIDE = 0.12, 0.06  # what of a head may lie beyond the edges
_COARSE_BEYOND = 6
"""Parts of the padding that a pixel out of focus is wide."""


def continued_beyond(colours: Raster, pad: int) -> Raster:
    """Pixels beyond the edges: hair goes on above and aside, clothes below as they end.

    What goes on is the mirror image, out of focus: sharp, it would show a second ear.
    """
    height, width = colours.shape[:2]
    colours = rasters.padded(colours, (pad, 0, pad, pad), cv2.BORDER_REFLECT_101)
    colours = rasters.padded(colours, (0, pad, 0, 0), cv2.BORDER_REPLICATE)
    whole = (int(colours.shape[1]), int(colours.shape[0]))
    coarse = max(pad // _COARSE_BEYOND, 1)
    small = (max(whole[0] // coarse, 1), max(whole[1] // coarse, 1))
    soft = rasters.resized(rasters.resized(colours, small, cv2.INTER_AREA), whole)
    x, y = np.arange(whole[0]) - pad, np.arange(whole[1]) - pad
    aside = np.maximum(np.maximum(-x, x - width + 1), 0)
    above = np.maximum(np.maximum(-y, y - height + 1), 0)
    beyond = np.maximum(aside[None, :], above[:, None]).astype(np.float32)
    share = rasters.like(np.clip(beyond / max(coarse, 1), 0, 1), colours)[..., None]
    mixed = colours + share * (rasters.floats(soft) - colours)
    return rasters.of_type(mixed, colours)


def beyond_edges(person: Raster, pad: int, unit: float) -> Raster:
    """A matte (h, w) with ``pad`` pixels more on each side; what an edge has cut ends in a dome."""
    wide = rasters.padded(person, (pad, pad, pad, pad), cv2.BORDER_REPLICATE)
    # Seen from each edge: its outermost row first, then outwards.
    aside = functools.partial(_dome, depth=pad, unit=unit, longest=_LONGEST_ASIDE)
    left, right = (aside(rasters.finished(wide[pad:-pad, at])) for at in (pad, -pad - 1))
    wide[pad:-pad, :pad] = rasters.like(left[::-1].T, wide)
    wide[pad:-pad, -pad:] = rasters.like(right.T, wide)
    above = _dome(rasters.finished(wide[pad]), pad, unit, _LONGEST_ABOVE)
    wide[:pad] = rasters.like(above[::-1], wide)
    return wide


def _dome(edge: np.ndarray, depth: int, unit: float, longest: float) -> np.ndarray:
    """(depth, n) float32: how a matte's edge (n,) goes on outwards as the rest of a round head."""
    width = float(edge.sum())
    if width < 1:
        return np.zeros((depth, len(edge)), np.float32)
    middle = float((edge * np.arange(len(edge))).sum()) / width
    radius = max(_HEAD_RADIUS * unit, 0.55 * width)
    height = min(radius - math.sqrt(radius**2 - (width / 2) ** 2), longest * unit)
    away = (np.arange(depth, dtype=np.float32)[:, None] + 1) / max(1.2 * height, 1)
    narrowed = np.sqrt(np.clip(1 - away**2, 0, 1))
    columns = middle + (np.arange(len(edge)) - middle) / np.maximum(narrowed, 1e-3)
    columns = np.clip(columns, 0, len(edge) - 1).astype(np.float32)
    dome = cv2.remap(edge[None], columns, np.zeros_like(columns), cv2.INTER_LINEAR)
    return np.asarray(dome * np.clip(8 * narrowed, 0, 1), np.float32)
