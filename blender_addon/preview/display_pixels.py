"""Pictures as the floats that a texture is made of. No bpy."""

from __future__ import annotations

import numpy as np

LARGEST_EDGE = 2048
"""Edge in pixels beyond which a picture is reduced for the screen."""
PART_PIXELS = 1 << 15
"""What ``Preparation.go_on`` does at a time: a fraction of a millisecond."""
_INVERSE = np.float32(1 / 255)


def reduced(pixels: np.ndarray, largest_edge: int = LARGEST_EDGE) -> np.ndarray:
    """A picture of a whole fraction of its size that is no larger than a screen, as a view.

    Args:
        pixels: (h, w, 3) uint8.
    """
    step = -(-max(pixels.shape[:2]) // largest_edge)
    return pixels[step // 2 :: step, step // 2 :: step] if step > 1 else pixels


class Preparation:
    """Turns a picture into floats a part at a time, so that a large one stalls nobody.

    Args:
        pixels: (h, w, 3) uint8 sRGB, rows from the top.
        spare: an array that may be written to; used if it has the right size, because fresh
            memory costs more than the numbers do.

    Attributes:
        values: (h, w, 4) float32 from 0 to 1, still sRGB, opaque, rows from below; complete once
            ``is_done``.
    """

    def __init__(self, pixels: np.ndarray, spare: np.ndarray | None = None) -> None:
        self._source = reduced(pixels)[::-1]
        shape = (*self._source.shape[:2], 4)
        if spare is None or spare.shape != shape:
            spare = np.empty(shape, np.float32)
        self.values = spare
        self._row = 0

    @property
    def is_done(self) -> bool:
        return self._row >= len(self._source)

    def go_on(self) -> None:
        """Do one part."""
        rows = max(1, PART_PIXELS // max(1, self._source.shape[1]))
        part = slice(self._row, self._row + rows)
        target = self.values[part]
        target[..., :3] = self._source[part]
        target[..., 3] = 255
        target *= _INVERSE
        self._row += rows

    def finish(self) -> np.ndarray:
        """Do all that is left; returns ``values``."""
        while not self.is_done:
            self.go_on()
        return self.values
