"""Where in its photo a driven face is put back."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from photorig.worker.portraits.alignment import Alignment

_MARGIN = 0.01  # of the square's side that is not shown at any of its edges
_FADE = 0.05  # over which the driven picture goes over into the photo
_FADE_BELOW = 0.1  # the same where neck and shoulders go on
_ROUNDING = 1e-6  # pixels by which a corner may miss the pixels' edges
_REACH = 0.25  # beyond the square, within which the photo moves along with the head


@dataclass(frozen=True, eq=False)
class PasteWindow:
    """The part of a photo that changes when the face in the aligned square is driven.

    It depends on photo size and alignment only, so it never moves with the parameters.

    Attributes:
        rows, columns: of the photo.
        alignment: from the window's pixels to the aligned square.
        shown: (h, w) float32 in [0, 1], how much of the driven picture is seen: 1 within the
            square, 0 towards those of its edges beyond which the photo goes on.
        falloff: (h, w) float32 in [0, 1], how far the photo moves as the driven picture does: 1
            within the square, falling to 0 beyond it.
        inner: rows and columns of the window that hold the square; beyond them ``shown`` is 0.
    """

    rows: slice
    columns: slice
    alignment: Alignment
    shown: np.ndarray
    falloff: np.ndarray
    inner: tuple[slice, slice]

    @property
    def inner_alignment(self) -> Alignment:
        """From the pixels of `inner` to the aligned square."""
        rows, columns = self.inner
        return self.alignment.from_corner(columns.start, rows.start)


@functools.lru_cache(maxsize=4)  # a sequence uses one window for all its frames
def paste_window(shape: tuple[int, int], alignment: Alignment) -> PasteWindow:
    """The window in a photo of that height and width; empty where the square misses the photo."""
    rows, columns = _box(shape, alignment, _REACH)
    in_window = alignment.from_corner(columns.start, rows.start)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    u, v = in_window.middles(shape)
    sides = (u, v, 1 - u, 1 - v)  # distances from the edges, inwards
    shown = np.ones(np.broadcast(u, v).shape, np.float32)
    for side, fade in zip(sides, (_FADE, _FADE, _FADE, _FADE_BELOW), strict=True):
        # Where the photo ends with the square, nothing else could be shown.
        if side.size and side.min() < -_MARGIN:
            shown *= _rising((side - _MARGIN) / fade)
    shown.flags.writeable = False
    inner = _box(shape, in_window, 0.0)
    if shown.sum() != shown[inner].sum():  # the photo ends a little outside the square
        inner = _box(shape, in_window, _MARGIN)
    return PasteWindow(rows, columns, in_window, shown, falloff(shape, in_window), inner)


@functools.lru_cache(maxsize=8)  # for each window at its own resolution and at that of the flow
def falloff(shape: tuple[int, int], alignment: Alignment) -> np.ndarray:
    """`PasteWindow.falloff` in a raster of pixels, not writeable.

    Args:
        shape: height and width of the raster.
        alignment: from its pixels to the aligned square.
    """
    u, v = alignment.middles(shape)
    outside = np.hypot(np.minimum(u, 1 - u).clip(max=0), np.minimum(v, 1 - v).clip(max=0))
    result = _rising(1 - outside / _REACH)
    result.flags.writeable = False
    return result


def _box(shape: tuple[int, int], alignment: Alignment, reach: float) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold the square and what lies that far beyond it."""
    low, high = -reach, 1 + reach
    corners = alignment.to_photo(np.array([[low, low], [high, low], [high, high], [low, high]]))
    height, width = shape
    first, last = np.floor(corners.min(0) + _ROUNDING), np.ceil(corners.max(0) - _ROUNDING)
    left, top = np.clip(first, 0, [width, height]).astype(int).tolist()
    right, bottom = np.clip(last, 0, [width, height]).astype(int).tolist()
    return slice(top, bottom), slice(left, right)


def _rising(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between; float32."""
    t = np.clip(value, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
