# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's sRGB bytes as the scene-linear floats that Blender's render result holds.

With the Standard view transform and no dither Blender turns them back into the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def _linear_table() -> np.ndarray:
    """(256,) float32: scene-linear value of each sRGB byte (IEC 61966-2-1)."""
    encoded = np.arange(256) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


SRGB_TO_LINEAR = _linear_table()


@dataclass(frozen=True)
class Canvas:
    """What a render result is, and how a picture of another size is laid on it, in its middle.

    Attributes:
        width, height: in pixels.
        framing: "FIT" shows the whole picture with black beside it, "FILL" covers the canvas and
            cuts what juts out, "EXACT" keeps the picture's pixels.
        pixel_aspect: width of a pixel for a height of 1.
    """

    width: int
    height: int
    framing: str = "FIT"
    pixel_aspect: float = 1.0

    def size_of(self, columns: int, rows: int) -> tuple[int, int]:
        """(width, height) in pixels that a picture gets; it may jut out."""
        across, down = self.width * self.pixel_aspect / columns, self.height / rows
        scale = {"FIT": min(across, down), "FILL": max(across, down)}.get(self.framing, 1.0)
        width = max(1, round(columns * scale / self.pixel_aspect))
        return width, max(1, round(rows * scale))

    def place_of(self, columns: int, rows: int) -> tuple[int, int, int, int]:
        """(left, top, width, height) in pixels of where a picture lies; it may jut out.

        Args:
            columns, rows: the picture's own size.
        """
        width, height = self.size_of(columns, rows)
        return _start(width, self.width), _start(height, self.height), width, height


def render_pixels(image: np.ndarray, canvas: Canvas) -> np.ndarray:
    """A frame as the Combined pass of a render result.

    Args:
        image: (h, w, 3) uint8 sRGB, rows from the top; or (h, w, 4) with the person's matte, which
            becomes the alpha.

    Returns:
        (height, width, 4) float32 scene-linear, premultiplied, rows from the bottom as Blender has
        them. Beside the picture it is black: opaque, or transparent where there is a matte.
    """
    rows, columns = image.shape[:2]
    values = np.empty((rows, columns, 4), np.float32)
    values[..., :3] = SRGB_TO_LINEAR[image[..., :3]]
    if image.shape[2] == 3:
        values[..., 3] = 1
        pixels = _placed(values, canvas)
        pixels[..., 3] = 1
        return pixels
    values[..., 3] = image[..., 3] / np.float32(255)
    values[..., :3] *= values[..., 3:]
    return _placed(values, canvas)


def matte_pixels(matte: np.ndarray, canvas: Canvas) -> np.ndarray:
    """A matte (h, w) uint8, rows from the top, as (height, width, 1) float32 from 0 to 1, rows
    from the bottom."""
    return _placed((matte / np.float32(255))[..., None], canvas)


def _placed(values: np.ndarray, canvas: Canvas) -> np.ndarray:
    """(h, w, c) from the top on the canvas, rows from the bottom, zero beside it; filtered where
    the size differs."""
    rows, columns = values.shape[:2]
    left, top, width, height = canvas.place_of(columns, rows)
    seen_x, target_x = _overlap(left, width, canvas.width)
    seen_y, target_y = _overlap(top, height, canvas.height)
    if width != columns:
        across = _resampling_matrix(columns, width)[seen_x]
        values = np.einsum("xw,hwc->hxc", across, values, optimize=True)
    else:
        values = values[:, seen_x]
    if height != rows:
        down = _resampling_matrix(rows, height)[seen_y]
        values = np.einsum("yh,hxc->yxc", down, values, optimize=True)
    else:
        values = values[seen_y]
    pixels = np.zeros((canvas.height, canvas.width, values.shape[2]), np.float32)
    pixels[target_y, target_x] = values
    return pixels[::-1]


def _start(length: int, room: int) -> int:
    """Where a length begins that lies in the middle of a room, negative where it juts out."""
    return (room - length) // 2 if length <= room else -((length - room) // 2)


def _overlap(start: int, length: int, room: int) -> tuple[slice, slice]:
    """Of a length that begins there: the part that is seen, and where it lies in the room."""
    first, last = max(0, start), min(room, start + length)
    return slice(first - start, last - start), slice(first, last)


def _resampling_matrix(source: int, target: int) -> np.ndarray:
    """(target, source) float32 weights of a triangle filter; it widens when it shrinks."""
    reach = max(1.0, source / target)
    centres = (np.arange(target) + 0.5) * source / target
    distance = np.abs(np.arange(source)[None] + 0.5 - centres[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distance)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)
