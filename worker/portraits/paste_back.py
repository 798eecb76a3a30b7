"""Where in its photo a driven face is put back."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from photorig.worker.portraits.align import to_photo

_MARGIN = 0.01  # of the crop's side stays outside the mask altogether
_CORNER = 0.3  # radius of the mask's corners, same unit: heads are round
_FEATHER = 0.1  # width of the blend, same unit


@dataclass(frozen=True, eq=False)
class PasteWindow:
    """The part of a photo that holds the aligned square, and how much of it is shown.

    Attributes:
        rows, columns: of the photo.
        mask: (h, w) float32 in [0, 1], a soft rounded box; 0 towards the edges of the square.
    """

    rows: slice
    columns: slice
    mask: np.ndarray

    def alignment(self, photo: np.ndarray) -> np.ndarray:
        """The photo's alignment (2, 3), counted from the window's corner."""
        corner = photo @ [self.columns.start, self.rows.start, 1.0]
        return np.column_stack([photo[:, :2], corner])


def paste_window(shape: tuple[int, int], alignment: np.ndarray) -> PasteWindow:
    """Where a face is put back into a photo of that height and width; ``mask`` may be empty.

    It depends on photo size and alignment only, so it never moves with the parameters.
    """
    return _window(*shape, np.asarray(alignment, np.float64).tobytes())


def paste_mask(height: int, width: int, alignment: np.ndarray) -> np.ndarray:
    """(height, width) float32 in [0, 1]: how much of a driven crop is shown at each pixel."""
    window = paste_window((height, width), alignment)
    whole = np.zeros((height, width), np.float32)
    whole[window.rows, window.columns] = window.mask
    return whole


@functools.lru_cache(maxsize=4)  # a sequence uses one mask for all its frames
def _window(height: int, width: int, alignment_bytes: bytes) -> PasteWindow:
    alignment = np.frombuffer(alignment_bytes, np.float64).reshape(2, 3)
    corners = to_photo(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64), alignment)
    left, top = np.clip(np.floor(corners.min(0)), 0, [width, height]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners.max(0)), 0, [width, height]).astype(int).tolist()
    x, y = np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5
    (a, b, c), (d, e, f) = alignment
    u = (a * x + c)[None, :] + (b * y)[:, None]
    v = (d * x + f)[None, :] + (e * y)[:, None]
    mask = _soft_box(u, v)
    mask.flags.writeable = False
    return PasteWindow(slice(top, bottom), slice(left, right), mask)


def _soft_box(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """1 inside, 0 outside a box with round corners in the unit square, smooth between."""
    reach = 0.5 - _MARGIN - _CORNER
    beyond_u, beyond_v = np.abs(u - 0.5) - reach, np.abs(v - 0.5) - reach
    outside = np.hypot(np.maximum(beyond_u, 0), np.maximum(beyond_v, 0))
    inside = np.minimum(np.maximum(beyond_u, beyond_v), 0)
    depth = np.clip((_CORNER - outside - inside) / _FEATHER, 0, 1)
    return (depth * depth * (3 - 2 * depth)).astype(np.float32)
