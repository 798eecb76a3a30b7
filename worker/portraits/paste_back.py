"""Where in its photo a driven face is put back."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from photorig.worker.portraits.align import to_photo

_MARGIN = 0.01  # of the square's side that is not shown at any of its edges
_FADE = 0.05  # over which the driven picture goes over into the photo
_FADE_BELOW = 0.1  # the same where neck and shoulders go on
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
    """

    rows: slice
    columns: slice
    alignment: np.ndarray
    shown: np.ndarray
    led: np.ndarray


def paste_window(shape: tuple[int, int], alignment: np.ndarray) -> PasteWindow:
    """The window in a photo of that height and width; empty where the square misses the photo."""
    return _window(*shape, np.asarray(alignment, np.float64).tobytes())


@functools.lru_cache(maxsize=4)  # a sequence uses one window for all its frames
def _window(height: int, width: int, alignment_bytes: bytes) -> PasteWindow:
    alignment = np.frombuffer(alignment_bytes, np.float64).reshape(2, 3)
    low, high = -_REACH, 1 + _REACH
    corners = to_photo(np.array([[low, low], [high, low], [high, high], [low, high]]), alignment)
    left, top = np.clip(np.floor(corners.min(0)), 0, [width, height]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(corners.max(0)), 0, [width, height]).astype(int).tolist()
    (a, b, c), (d, e, f) = alignment
    x, y = np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5
    u = (a * x + c)[None, :] + (b * y)[:, None]
    v = (d * x + f)[None, :] + (e * y)[:, None]
    sides = (u, v, 1 - u, 1 - v)  # distances from the edges, inwards
    shown = np.ones(np.broadcast(u, v).shape, np.float32)
    for side, fade in zip(sides, (_FADE, _FADE, _FADE, _FADE_BELOW), strict=True):
        # Where the photo ends with the square, nothing else could be shown.
        if side.size and side.min() < -_MARGIN:
            shown *= _rising((side - _MARGIN) / fade)
    outside = np.hypot(np.minimum(u, 1 - u).clip(max=0), np.minimum(v, 1 - v).clip(max=0))
    led = _rising(1 - outside / _REACH)
    shown.flags.writeable = led.flags.writeable = False
    in_window = np.column_stack([alignment[:, :2], alignment @ [left, top, 1.0]])
    return PasteWindow(slice(top, bottom), slice(left, right), in_window, shown, led)


def _rising(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between; float32."""
    t = np.clip(value, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
