"""Where in its photo a driven face is put back."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from photorig.worker.portraits.align import to_photo

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
        alignment: (2, 3) from the window's pixels to the aligned square.
        shown: (h, w) float32 in [0, 1], how much of the driven picture is seen: 1 within the
            square, 0 towards those of its edges beyond which the photo goes on.
        led: (h, w) float32 in [0, 1], how far the photo moves as the driven picture does: 1 within
            the square, falling to 0 beyond it.
        inner: rows and columns of the window that hold the square; beyond them ``shown`` is 0.
    """

    rows: slice
    columns: slice
    alignment: np.ndarray
    shown: np.ndarray
    led: np.ndarray
    inner: tuple[slice, slice]

    @property
    def inner_alignment(self) -> np.ndarray:
        """(2, 3) from the pixels of `inner` to the aligned square."""
        rows, columns = self.inner
        return from_corner(self.alignment, columns.start, rows.start)


def paste_window(shape: tuple[int, int], alignment: np.ndarray) -> PasteWindow:
    """The window in a photo of that height and width; empty where the square misses the photo."""
    return _window(*shape, np.asarray(alignment, np.float64).tobytes())


@functools.lru_cache(maxsize=4)  # a sequence uses one window for all its frames
def _window(height: int, width: int, alignment_bytes: bytes) -> PasteWindow:
    alignment = np.frombuffer(alignment_bytes, np.float64).reshape(2, 3)
    rows, columns = _box(height, width, alignment, _REACH)
    in_window = from_corner(alignment, columns.start, rows.start)
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    u, v = _in_square(shape, in_window)
    sides = (u, v, 1 - u, 1 - v)  # distances from the edges, inwards
    shown = np.ones(np.broadcast(u, v).shape, np.float32)
    for side, fade in zip(sides, (_FADE, _FADE, _FADE, _FADE_BELOW), strict=True):
        # Where the photo ends with the square, nothing else could be shown.
        if side.size and side.min() < -_MARGIN:
            shown *= _rising((side - _MARGIN) / fade)
    shown.flags.writeable = False
    inner = _box(*shape, in_window, 0.0)
    if shown.sum() != shown[inner].sum():  # the photo ends a little outside the square
        inner = _box(*shape, in_window, _MARGIN)
    return PasteWindow(rows, columns, in_window, shown, led(shape, in_window), inner)


def led(shape: tuple[int, int], alignment: np.ndarray) -> np.ndarray:
    """`PasteWindow.led` in a raster of pixels, not writeable.

    Args:
        shape: height and width of the raster.
        alignment: (2, 3) from its pixels to the aligned square.
    """
    return _led(*shape, np.asarray(alignment, np.float64).tobytes())


@functools.lru_cache(maxsize=8)  # for each window at its own resolution and at that of the flow
def _led(height: int, width: int, alignment_bytes: bytes) -> np.ndarray:
    u, v = _in_square((height, width), np.frombuffer(alignment_bytes, np.float64).reshape(2, 3))
    outside = np.hypot(np.minimum(u, 1 - u).clip(max=0), np.minimum(v, 1 - v).clip(max=0))
    result = _rising(1 - outside / _REACH)
    result.flags.writeable = False
    return result


def from_corner(alignment: np.ndarray, x: float, y: float) -> np.ndarray:
    """The same alignment (2, 3), pixels counted from another corner."""
    return np.column_stack([alignment[:, :2], alignment @ [x, y, 1.0]])


def _in_square(shape: tuple[int, int], alignment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where in the aligned square the middle of each pixel lies, (h, w) float64 each."""
    (a, b, c), (d, e, f) = alignment
    x, y = np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5
    return (a * x + c)[None, :] + (b * y)[:, None], (d * x + f)[None, :] + (e * y)[:, None]


def _box(height: int, width: int, alignment: np.ndarray, reach: float) -> tuple[slice, slice]:
    """Rows and columns of a picture that hold the square and what lies that far beyond it."""
    low, high = -reach, 1 + reach
    corners = to_photo(np.array([[low, low], [high, low], [high, high], [low, high]]), alignment)
    first, last = np.floor(corners.min(0) + _ROUNDING), np.ceil(corners.max(0) - _ROUNDING)
    left, top = np.clip(first, 0, [width, height]).astype(int).tolist()
    right, bottom = np.clip(last, 0, [width, height]).astype(int).tolist()
    return slice(top, bottom), slice(left, right)


def _rising(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between; float32."""
    t = np.clip(value, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
