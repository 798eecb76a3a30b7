"""How a picture is laid on a render of another size: the same for a frame in Blender (F12) and for
one that the worker writes into a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError

FRAMINGS = ("FIT", "FILL", "EXACT")
LARGEST_SIDE = 16384
MOST_PIXELS = 40_000_000
"""Of a canvas; an 8K frame has 33 million. What is larger would take the worker gigabytes."""
_GREATEST_ASPECT = 200.0


def _linear_table() -> np.ndarray:
    """(256,) float32: scene-linear value of each sRGB byte (IEC 61966-2-1)."""
    encoded = np.arange(256) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


SRGB_TO_LINEAR = _linear_table()


@dataclass(frozen=True)
class Canvas:
    """What a render is, and how a picture of another size is laid on it.

    Attributes:
        width, height: in pixels.
        framing: "FIT" shows the whole picture with black beside it, "FILL" covers the canvas and
            cuts what juts out, "EXACT" keeps the picture's pixels.
        pixel_aspect: width of a pixel for a height of 1.
        centre: x and y in the picture, each from 0 to 1, that come as near to the middle of the
            canvas as they can where the picture juts out of it: a photo's face.
    """

    width: int
    height: int
    framing: str = "FIT"
    pixel_aspect: float = 1.0
    centre: tuple[float, float] = (0.5, 0.5)

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
        left = _start(width, self.width, self.centre[0])
        return left, _start(height, self.height, self.centre[1]), width, height

    def is_plain(self, columns: int, rows: int) -> bool:
        """Whether a picture of this size already is what the canvas shows."""
        return (columns, rows, 1.0) == (self.width, self.height, self.pixel_aspect)

    @property
    def is_too_large(self) -> bool:
        """Whether it is more than a worker lays a picture on."""
        side = max(self.width, self.height)
        return side > LARGEST_SIDE or self.width * self.height > MOST_PIXELS

    def to_json(self) -> dict[str, Any]:
        return {
            "width": self.width,
            "height": self.height,
            "framing": self.framing,
            "pixel_aspect": self.pixel_aspect,
            "centre": list(self.centre),
        }

    @staticmethod
    def from_json(fields: Any) -> Canvas:
        """Raises InputError where a field is missing, of another kind, or makes no sense."""
        try:
            width, height = fields["width"], fields["height"]
            aspect = float(fields.get("pixel_aspect", 1.0))
            x, y = map(float, fields.get("centre", (0.5, 0.5)))
            framing = fields.get("framing", "FIT")
            is_possible = (
                all(type(side) is int and side > 0 for side in (width, height))
                and framing in FRAMINGS
                and 1 / _GREATEST_ASPECT <= aspect <= _GREATEST_ASPECT
                and 0 <= x <= 1
                and 0 <= y <= 1
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            is_possible = False
        if not is_possible:
            raise InputError("The frame's canvas cannot be read", "Update the worker.")
        canvas = Canvas(width, height, framing, aspect, (x, y))
        if canvas.is_too_large:
            raise InputError(
                f"A frame of {width} × {height} pixels is too large",
                f"Give at most {LARGEST_SIDE} a side and {MOST_PIXELS} in all.",
            )
        return canvas


_STEPS = 1 << 16


def _srgb_table() -> np.ndarray:
    """(_STEPS + 1,) uint8: the sRGB byte nearest to each step from 0 to 1 in linear light."""
    linear = np.arange(_STEPS + 1) / _STEPS
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)


_LINEAR_TO_SRGB = _srgb_table()


def linear_of(image: np.ndarray) -> np.ndarray:
    """A frame in linear light, (h, w, 3) or, premultiplied, (h, w, 4) float32.

    Args:
        image: (h, w, 3) uint8 sRGB, or (h, w, 4) with a matte that it is not multiplied by.
    """
    if image.shape[2] == 3:
        return SRGB_TO_LINEAR[image]
    values = np.empty(image.shape, np.float32)
    values[..., 3] = image[..., 3] / np.float32(255)
    values[..., :3] = SRGB_TO_LINEAR[image[..., :3]] * values[..., 3:]
    return values


def srgb_of(values: np.ndarray) -> np.ndarray:
    """The inverse of ``linear_of``: sRGB bytes with an alpha that they are not multiplied by.

    Args:
        values: (h, w, 3) float32 from 0 to 1 in linear light; or (h, w, 4), premultiplied.
    """
    colour = values[..., :3]
    if values.shape[2] == 4:
        colour = colour / np.maximum(values[..., 3:], np.float32(1e-6))
    steps = (np.clip(colour, 0, 1) * np.float32(_STEPS) + np.float32(0.5)).astype(np.int32)
    levels = _LINEAR_TO_SRGB[steps]
    if values.shape[2] == 3:
        return levels
    alpha = np.rint(np.clip(values[..., 3:], 0, 1) * 255).astype(np.uint8)
    return np.concatenate([levels, alpha], axis=2)


def laid_on(image: np.ndarray, canvas: Canvas) -> np.ndarray:
    """A frame as bytes, (h, w, 3 or 4) uint8 sRGB, on a canvas; filtered in linear light."""
    if canvas.is_plain(image.shape[1], image.shape[0]):
        return image
    return srgb_of(placed(linear_of(image), canvas))


def placed(values: np.ndarray, canvas: Canvas) -> np.ndarray:
    """A picture on the canvas, zero beside it; filtered where the size differs.

    Args:
        values: (h, w, c) float32, linear in light and premultiplied.

    Returns:
        (height, width, c) float32, C-contiguous.
    """
    rows, columns, channels = values.shape
    left, top, width, height = canvas.place_of(columns, rows)
    seen_x, target_x = _overlap(left, width, canvas.width)
    seen_y, target_y = _overlap(top, height, canvas.height)
    steps = [(0, rows, height, seen_y), (1, columns, width, seen_x)]
    # What makes the picture smaller comes first: there is less to do for the other.
    steps.sort(key=lambda step: step[2] / step[1])
    for axis, source, target, seen in steps:
        values = _resampled(values, axis, source, target, seen)
    if values.shape[:2] == (canvas.height, canvas.width):
        return np.ascontiguousarray(values)
    pixels = np.zeros((canvas.height, canvas.width, channels), np.float32)
    pixels[target_y, target_x] = values
    return pixels


def _start(length: int, room: int, centre: float) -> int:
    """Where a length begins: in the middle of a room that is longer; else so that its own centre
    lies there, as far as it still covers the room."""
    if length <= room:
        return (room - length) // 2
    return min(0, max(room - length, -int(centre * length - room / 2)))


def _overlap(start: int, length: int, room: int) -> tuple[slice, slice]:
    """Of a length that begins there: the part that is seen, and where it lies in the room."""
    first, last = max(0, start), min(room, start + length)
    return slice(first - start, last - start), slice(first, last)


def _resampled(values: np.ndarray, axis: int, source: int, target: int, seen: slice) -> np.ndarray:
    """The seen part of an axis that is stretched from a length to another.

    A triangle filter, which widens when it shrinks, touches few values: each of them is gathered
    for all places at once. A matrix product would multiply by all the zeros beside them.
    """
    if source == target:
        return values[seen] if axis == 0 else values[:, seen]
    first, weights = _filter(source, target, seen)
    shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    result: np.ndarray | None = None
    for tap, weight in enumerate(weights.T):
        places = np.clip(first + tap, 0, source - 1)
        part = np.take(values, places, axis=axis)
        part *= weight.reshape(shape)
        result = part if result is None else np.add(result, part, out=result)
    assert result is not None
    return result


def _filter(source: int, target: int, seen: slice) -> tuple[np.ndarray, np.ndarray]:
    """First place (n,) and weights (n, taps) float32 for each seen place of the target; weights
    beyond the source's ends are 0."""
    reach = max(1.0, source / target)
    middles = (np.arange(target)[seen] + 0.5) * source / target - 0.5
    first = np.ceil(middles - reach).astype(int)
    places = first[:, None] + np.arange(int(2 * reach) + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(places - middles[:, None]) / reach)
    weights[(places < 0) | (places >= source)] = 0.0
    weights /= weights.sum(1, keepdims=True)
    return first, weights.astype(np.float32)
