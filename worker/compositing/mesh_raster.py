"""Triangles of a mesh on a raster: which is nearest at each pixel, and what it carries there."""

from __future__ import annotations

import cv2
import numpy as np

_BITS = 4
"""Of the fractions of a pixel in which corners of triangles are counted."""
_WILD = 12.0
"""Change of a value from pixel to pixel that only triangles make which have all but vanished."""


def painted(
    points: np.ndarray, depth: np.ndarray, triangles: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """(m, n) int32: number of the nearest triangle at each pixel counted from 1, or 0.

    Args:
        points: (v, 2) pixels; depth: (v,) the greater the nearer; triangles: (t, 3); shape: (m, n).
    """
    index = np.zeros(shape, np.int32)
    corners = np.round((np.clip(points, -4096, 4096) - 0.5) * 2**_BITS).astype(np.int32)[triangles]
    order = np.argsort(depth[triangles].mean(1), kind="stable")
    for number in order.tolist():
        cv2.fillConvexPoly(index, corners[number], number + 1, cv2.LINE_8, _BITS)
    return index


def interpolated(
    index: np.ndarray, points: np.ndarray, moves: np.ndarray, triangles: np.ndarray
) -> np.ndarray:
    """(m, n, c) float32, moves (v, c) affine on each triangle (t, 3) of ``index``."""
    corners, values = points[triangles], moves[triangles]
    edges = corners[:, 1:] - corners[:, :1]
    changes = values[:, 1:] - values[:, :1]
    determinant = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    sign = np.where(determinant < 0, -1.0, 1.0)
    determinant = sign * np.maximum(np.abs(determinant), 1e-3)
    inverse = np.empty_like(edges)
    inverse[:, 0, 0], inverse[:, 0, 1] = edges[:, 1, 1], -edges[:, 0, 1]
    inverse[:, 1, 0], inverse[:, 1, 1] = -edges[:, 1, 0], edges[:, 0, 0]
    slopes = (inverse / determinant[:, None, None]) @ changes
    # Triangles that have all but vanished may point anywhere: they go where their middle goes.
    wild = np.abs(slopes).max((1, 2)) > _WILD
    slopes[wild] = 0
    offsets = values.mean(1) - np.einsum("ti,tic->tc", corners.mean(1), slopes)
    maps = np.zeros((len(slopes) + 1, 3, moves.shape[1]), np.float32)
    maps[1:, :2], maps[1:, 2] = slopes, offsets
    chosen = maps[index]
    x = np.arange(index.shape[1], dtype=np.float32)[None, :, None] + 0.5
    y = np.arange(index.shape[0], dtype=np.float32)[:, None, None] + 0.5
    return np.asarray(x * chosen[:, :, 0] + y * chosen[:, :, 1] + chosen[:, :, 2])
