"""Triangles of a mesh on a raster: which is nearest at each pixel, and what it carries there."""

from __future__ import annotations

import cv2
import numpy as np

_BITS = 4
"""Of the fractions of a pixel in which corners of triangles are counted."""
_FARTHEST = 4096
"""Pixels: beyond them corners stand still, for fixed point numbers would overflow."""
_FLAT = 0.25
"""Square pixels, twice the area of a triangle that has all but vanished."""


def painted(
    points: np.ndarray, depth: np.ndarray, triangles: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """(m, n) int32: number of the nearest triangle at each pixel counted from 1, or 0.

    Args:
        points: (v, 2) pixels; depth: (v,) the greater the nearer; triangles: (t, 3); shape: (m, n).
    """
    index = np.zeros(shape, np.int32)
    points = np.clip(points, -_FARTHEST, _FARTHEST) - 0.5
    corners = np.round(points * 2**_BITS).astype(np.int32)[triangles]
    order = np.argsort(depth[triangles].mean(1), kind="stable")
    for number, polygon in zip((order + 1).tolist(), corners[order], strict=True):
        cv2.fillConvexPoly(index, polygon, number, cv2.LINE_8, _BITS)
    return index


def interpolated(
    index: np.ndarray, points: np.ndarray, values: np.ndarray, triangles: np.ndarray
) -> np.ndarray:
    """(m, n, c) float32, values (v, c) affine on each triangle (t, 3) of ``index``, else 0.

    A pixel's middle may lie a little beyond the triangle that it is painted with; on one that is
    hardly wider than a pixel its value would be far off, so it stays within those of the corners.
    """
    at_corners = values[triangles]
    tables = (*_affine(points[triangles], at_corners), at_corners.min(1), at_corners.max(1))
    height, (width, count) = index.shape[0], (index.shape[1], values.shape[1])
    # Rows of all channels side by side: long rows are what the processor is fast with.
    numbers = index.astype(np.intp)
    found, along, down, low, high = (
        np.take(_after_nothing(table), numbers, axis=0).reshape(height, -1) for table in tables
    )
    along *= np.repeat(np.arange(width, dtype=np.float32) + np.float32(0.5), count)
    down *= np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)
    found += along
    found += down
    np.maximum(found, low, out=found)
    return np.minimum(found, high, out=found).reshape(height, width, count)


def _after_nothing(table: np.ndarray) -> np.ndarray:
    """A table (t + 1, c) float32 for numbers that count from 1: its first row is 0."""
    return np.concatenate([np.zeros((1, table.shape[1]), np.float32), table], dtype=np.float32)


def _affine(corners: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of triangles with corners (t, 3, 2) and values (t, 3, c): offset, change along x and along y,
    (t, c) each."""
    edges, changes = corners[:, 1:] - corners[:, :1], values[:, 1:] - values[:, :1]
    determinant = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    inverse = np.empty_like(edges)
    inverse[:, 0, 0], inverse[:, 0, 1] = edges[:, 1, 1], -edges[:, 0, 1]
    inverse[:, 1, 0], inverse[:, 1, 1] = -edges[:, 1, 0], edges[:, 0, 0]
    # Triangles that have all but vanished may point anywhere: they go where their middle goes.
    flat = np.abs(determinant) < _FLAT
    slopes = (inverse / np.where(flat, 1, determinant)[:, None, None]) @ changes
    slopes[flat] = 0
    offsets = values.mean(1) - np.einsum("ti,tic->tc", corners.mean(1), slopes)
    return offsets, slopes[:, 0], slopes[:, 1]
