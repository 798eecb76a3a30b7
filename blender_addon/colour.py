# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's sRGB bytes as the scene-linear floats that Blender's render result holds.

With the Standard view transform and no dither Blender turns them back into the same bytes.
"""

from __future__ import annotations

import numpy as np


def _linear_table() -> np.ndarray:
    """(256,) float32: scene-linear value of each sRGB byte (IEC 61966-2-1)."""
    encoded = np.arange(256) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


SRGB_TO_LINEAR = _linear_table()


def render_pixels(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """A frame as the pixels of a render result.

    A frame of another size is scaled (in linear light, keeping its aspect) to fit, on black.

    Args:
        image: (h, w, 3) uint8 sRGB, rows from the top.
        width, height: of the render result in pixels.

    Returns:
        (height, width, 4) float32 scene-linear, opaque, rows from the bottom as Blender has them.
    """
    pixels = np.zeros((height, width, 4), np.float32)
    pixels[..., 3] = 1
    linear = SRGB_TO_LINEAR[image]
    if image.shape[:2] != (height, width):
        linear = _fit(linear, width, height)
    rows, columns = linear.shape[:2]
    top, left = (height - rows) // 2, (width - columns) // 2
    pixels[top : top + rows, left : left + columns, :3] = linear
    return pixels[::-1]


def _fit(linear: np.ndarray, width: int, height: int) -> np.ndarray:
    """(h, w, 3) scaled to touch the frame's edges from inside."""
    rows, columns = linear.shape[:2]
    scale = min(width / columns, height / rows)
    new_rows = min(height, max(1, round(rows * scale)))
    new_columns = min(width, max(1, round(columns * scale)))
    across = _resampling_matrix(columns, new_columns)
    down = _resampling_matrix(rows, new_rows)
    halfway = np.einsum("xw,hwc->hxc", across, linear, optimize=True)
    return np.einsum("yh,hxc->yxc", down, halfway, optimize=True)


def _resampling_matrix(source: int, target: int) -> np.ndarray:
    """(target, source) float32 weights of a triangle filter; it widens when it shrinks."""
    reach = max(1.0, source / target)
    centres = (np.arange(target) + 0.5) * source / target
    distance = np.abs(np.arange(source)[None] + 0.5 - centres[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
