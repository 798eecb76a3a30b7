"""Where pictures lie in a viewport, in pixels from its lower left corner. No bpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..shared.files.canvas import Canvas

MARGIN = 12.0
HANDLE = 18.0
"""Edge in pixels of the corner by which a picture is scaled."""
MINIMUM_SCALE, MAXIMUM_SCALE = 0.1, 1.0


@dataclass(frozen=True)
class Rectangle:
    """x, y of the lower left corner, width and height."""

    x: float
    y: float
    width: float
    height: float

    def contains(self, x: float, y: float) -> bool:
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height

    def inner(self, margin: float) -> Rectangle:
        """Without a margin on all sides; nothing where that leaves nothing."""
        width, height = max(0.0, self.width - 2 * margin), max(0.0, self.height - 2 * margin)
        x, y = self.x + (self.width - width) / 2, self.y + (self.height - height) / 2
        return Rectangle(x, y, width, height)

    def part(self, left: float, bottom: float, right: float, top: float) -> Rectangle:
        """A part of it, in fractions of its width and height."""
        return Rectangle(
            self.x + left * self.width,
            self.y + bottom * self.height,
            (right - left) * self.width,
            (top - bottom) * self.height,
        )


@dataclass(frozen=True)
class Place:
    """Where a person put a picture; it means the same in a viewport of any size.

    Attributes:
        x, y: 0 is the left or lower edge, 1 the right or upper one.
        scale: height as a part of the viewport's.
    """

    x: float = 1.0
    y: float = 0.0
    scale: float = 0.35


def fit_inside(aspect: float, frame: Rectangle) -> Rectangle:
    """The largest picture of this aspect (width by height) in the middle of a frame."""
    width = min(frame.width, frame.height * aspect)
    height = width / aspect if aspect > 0 else 0.0
    x, y = frame.x + (frame.width - width) / 2, frame.y + (frame.height - height) / 2
    return Rectangle(x, y, width, height)


def laid_on(frame: Rectangle, canvas: Canvas, picture: tuple[int, int]) -> Rectangle:
    """Where a picture lies in the frame of a render, as the render lays it there; it may jut out.

    Args:
        frame: what stands for the whole of the render's canvas.
        picture: (width, height) in pixels.
    """
    left, top, width, height = canvas.place_of(*picture)
    return frame.part(
        left / canvas.width,
        1 - (top + height) / canvas.height,
        (left + width) / canvas.width,
        1 - top / canvas.height,
    )


def around(whole: Rectangle, seen: Rectangle) -> list[Rectangle]:
    """What is left of a rectangle beside a part of it: up to four rectangles, no two overlapping.

    Args:
        seen: where it juts out of ``whole``, that does not count.
    """
    right, top = whole.x + whole.width, whole.y + whole.height
    x1, x2 = (min(right, max(whole.x, x)) for x in (seen.x, seen.x + seen.width))
    y1, y2 = (min(top, max(whole.y, y)) for y in (seen.y, seen.y + seen.height))
    strips = [
        Rectangle(whole.x, whole.y, x1 - whole.x, whole.height),
        Rectangle(x2, whole.y, right - x2, whole.height),
        Rectangle(x1, whole.y, x2 - x1, y1 - whole.y),
        Rectangle(x1, y2, x2 - x1, top - y2),
    ]
    return [strip for strip in strips if strip.width > 0 and strip.height > 0]


def placed(aspect: float, free: Rectangle, place: Place) -> Rectangle:
    """A picture in the part of a viewport that no sidebar or header covers."""
    inner = free.inner(MARGIN)
    height = inner.height * min(MAXIMUM_SCALE, max(MINIMUM_SCALE, place.scale))
    width = height * aspect
    if width > inner.width:
        width, height = inner.width, inner.width / aspect
    x = inner.x + (inner.width - width) * min(1.0, max(0.0, place.x))
    y = inner.y + (inner.height - height) * min(1.0, max(0.0, place.y))
    return Rectangle(x, y, width, height)


def side_by_side(aspect: float, free: Rectangle) -> tuple[Rectangle, Rectangle]:
    """(the half for the picture, the picture in it): left, or above where a viewport is tall.

    Blender's own buttons are at the right.
    """
    if free.width >= free.height:
        half = free.part(0.0, 0.0, 0.5, 1.0)
    else:
        half = free.part(0.0, 0.5, 1.0, 1.0)
    return half, fit_inside(aspect, half.inner(MARGIN))


def handle_corner(picture: Rectangle, free: Rectangle) -> Rectangle:
    """The corner to scale by: the one nearest to the middle of the viewport."""
    is_left = picture.x + picture.width / 2 > free.x + free.width / 2
    is_low = picture.y + picture.height / 2 > free.y + free.height / 2
    edge = min(HANDLE, picture.width / 3, picture.height / 3)
    x = picture.x if is_left else picture.x + picture.width - edge
    y = picture.y if is_low else picture.y + picture.height - edge
    return Rectangle(x, y, edge, edge)


def moved(aspect: float, free: Rectangle, place: Place, by: tuple[float, float]) -> Place:
    """The place after dragging the picture by so many pixels; it stays in the viewport."""
    picture, inner = placed(aspect, free, place), free.inner(MARGIN)
    x = _fraction(picture.x + by[0] - inner.x, inner.width - picture.width, place.x)
    y = _fraction(picture.y + by[1] - inner.y, inner.height - picture.height, place.y)
    return Place(x, y, place.scale)


def scaled(aspect: float, free: Rectangle, place: Place, by: tuple[float, float]) -> Place:
    """The place after dragging the handle by so many pixels; the opposite corner stays."""
    picture, inner = placed(aspect, free, place), free.inner(MARGIN)
    corner = handle_corner(picture, free)
    is_left, is_low = corner.x == picture.x, corner.y == picture.y
    wider = -by[0] if is_left else by[0]
    higher = -by[1] if is_low else by[1]
    # The mouse rarely moves along the diagonal; the longer of its ways counts.
    growth = max(wider / aspect, higher, key=abs)
    height = min(max(picture.height + growth, MINIMUM_SCALE * inner.height), inner.height)
    height = min(height, inner.width / aspect)
    width = height * aspect
    left = picture.x + picture.width - width if is_left else picture.x
    bottom = picture.y + picture.height - height if is_low else picture.y
    x = _fraction(left - inner.x, inner.width - width, place.x)
    y = _fraction(bottom - inner.y, inner.height - height, place.y)
    return Place(x, y, height / inner.height if inner.height else place.scale)


def corners_in_photo(
    alignment: Sequence[float], photo: tuple[int, int]
) -> list[tuple[float, float]]:
    """Corners of the face crop in a photo, as fractions of its width and height.

    Args:
        alignment: rows of the (2, 3) matrix from photo pixels, rows from the top, to the unit
            square of the crop.
        photo: (width, height) in pixels.

    Returns:
        Lower left, lower right, upper right, upper left corner; y counts from below.
    """
    a, b, c, d, e, f = alignment
    determinant = a * e - b * d
    corners = []
    for u, v in ((0, 1), (1, 1), (1, 0), (0, 0)):
        x = (e * (u - c) - b * (v - f)) / determinant
        y = (a * (v - f) - d * (u - c)) / determinant
        corners.append((x / photo[0], 1 - y / photo[1]))
    return corners


def _fraction(way: float, room: float, otherwise: float) -> float:
    """``way`` as a part of ``room``, from 0 to 1."""
    return min(1.0, max(0.0, way / room)) if room > 1e-6 else otherwise
