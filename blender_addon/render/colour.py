# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's sRGB bytes as the scene-linear floats that Blender's render result holds.

With the Standard view transform and no dither Blender turns them back into the same bytes.
"""

from __future__ import annotations

import numpy as np

from ..shared.files.canvas import Canvas, linear_of, placed


def render_pixels(image: np.ndarray, canvas: Canvas) -> np.ndarray:
    """A frame as the Combined pass of a render result.

    Args:
        image: (h, w, 3) uint8 sRGB, rows from the top; or (h, w, 4) with the person's matte, which
            becomes the alpha.

    Returns:
        (height, width, 4) float32 scene-linear, premultiplied, rows from the bottom as Blender has
        them. Beside the picture it is black: opaque, or transparent where there is a matte.
    """
    values = placed(linear_of(image), canvas)[::-1]
    if image.shape[2] == 4:
        return np.ascontiguousarray(values)
    pixels = np.empty((canvas.height, canvas.width, 4), np.float32)
    pixels[..., :3], pixels[..., 3] = values, 1
    return pixels


def matte_pixels(matte: np.ndarray, canvas: Canvas) -> np.ndarray:
    """A matte (h, w) uint8, rows from the top, as (height, width, 1) float32 from 0 to 1, rows
    from the bottom."""
    return placed((matte / np.float32(255))[..., None], canvas)[::-1]
