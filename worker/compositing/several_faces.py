"""A frame in which several faces of one photo are driven, each by a portrait of its own.

Each face is driven by itself, as if the others rested, and joins the frame of those before it. What
its frame has beside the photo is that person, and what that person uncovered; where two of them
changed the same pixel it goes to the nearer face, counted in sizes of each, and no face is changed
by what was done to another: mattes of people who stand close together know no better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.wire.messages import FrameRequest
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait

_MIDDLE = (0.5, 0.54)
"""Of a face, in its aligned square."""
_FACE = (0.3, 0.42)
"""Sides of its square from a face's middle: up to the first all is face, from the second none."""
_SEAM = 0.08
"""In which difference of distances two faces' frames go over into one another."""
_GAP = 9
"""Pixels: narrower gaps in what was changed are changed, too."""


def render_faces(renderer: Any, portraits: Sequence[Portrait], request: FrameRequest) -> np.ndarray:
    """One frame (h, w, 3) uint8 sRGB of all faces of a request.

    A pure function of its arguments.

    Args:
        renderer: drives one face of a photo, as FaceRenderer does.
        portraits: those that ``request.portraits`` names, in its order.

    Raises:
        InputError: as of ``renderer``, or the portraits are not of the same photo.
    """
    first, *others = _requests(request)
    frame = renderer.render(portraits[0], first)
    together = _Together(renderer, portraits[0], first, frame)
    for portrait, other in zip(portraits[1:], others, strict=True):
        together.add(portrait, other)
    return together.frame


def faces_passes(renderer: Any, portraits: Sequence[Portrait], request: FrameRequest) -> Any:
    """The same with what it is made of (FramePasses of the renderer): the first one's face, and the
    matte of all persons."""
    first, *others = _requests(request)
    made = renderer.passes(portraits[0], first)
    if not others:
        return made
    together = _Together(renderer, portraits[0], first, made.combined)
    for portrait, other in zip(portraits[1:], others, strict=True):
        together.add(portrait, other)
    matte = np.rint(255 * together.persons).astype(np.uint8)
    return replace(made, combined=together.frame, matte=matte)


def _requests(request: FrameRequest) -> list[FrameRequest]:
    """One for each face by itself; all but the first of the whole photo."""
    others = [replace(other, size="full", frame=request.frame) for other in request.others]
    return [replace(request, others=()), *others]


class _Together:
    """A frame and the faces that are driven in it so far.

    Attributes:
        frame: (h, w, 3) uint8.
    """

    def __init__(
        self, renderer: Any, first: Portrait, request: FrameRequest, frame: np.ndarray
    ) -> None:
        self.frame = frame
        self._renderer, self._first, self._size = renderer, first, request.size
        self._faces = [(first, request)]

    def add(self, portrait: Portrait, request: FrameRequest) -> None:
        """Drive one more face. Raises InputError where it is one of another photo."""
        first = self._first
        is_same = portrait.photo.shape == first.photo.shape
        if not is_same or not np.array_equal(portrait.photo, first.photo):
            raise InputError(
                f"{portrait.name!r} and {first.name!r} are portraits of different photos",
                "Fit both faces from the same photo.",
            )
        photo = self._in_frame(first.photo)
        driven = self._in_frame(self._renderer.render(portrait, request))
        there = [self._square(each) for each, _ in self._faces]
        self.frame = joined(self.frame, photo, driven, there, self._square(portrait))
        self._faces.append((portrait, request))

    @property
    def persons(self) -> np.ndarray:
        """How much of each pixel the persons so far are, (h, w) in [0, 1]."""
        nobody: np.ndarray = np.prod([1 - self._matte(*face) for face in self._faces], axis=0)
        return 1 - nobody

    def _matte(self, portrait: Portrait, request: FrameRequest) -> np.ndarray:
        matte = self._renderer.passes(portrait, request).matte
        if portrait is self._first:  # it is of the frame's size already
            return matte / 255.0
        return self._in_frame(np.repeat(matte[..., None], 3, 2))[..., 0] / 255.0

    def _in_frame(self, picture: np.ndarray) -> np.ndarray:
        """What a frame of this size shows of a whole photo (h, w, 3)."""
        if self._size == "full":
            return picture
        return self._first.alignment.crop(picture, self._size)

    def _square(self, portrait: Portrait) -> Alignment:
        """Where a face's aligned square lies in the frame."""
        if self._size == "full":
            return portrait.alignment
        to_square, of_first = (
            np.vstack([each.alignment.matrix, [0, 0, 1]]) for each in (portrait, self._first)
        )
        pixels = np.diag([1 / self._size, 1 / self._size, 1])
        return Alignment((to_square @ np.linalg.inv(of_first) @ pixels)[:2])


def joined(
    frame: np.ndarray,
    photo: np.ndarray,
    driven: np.ndarray,
    there: Sequence[Alignment],
    square: Alignment,
) -> np.ndarray:
    """A frame in which others were driven, and one more person.

    Args:
        frame, photo, driven: (h, w, 3) uint8: with the others driven, as it is, with this one.
        there, square: of the others' faces, and of this one, in pixels of the frame.
    """
    mine, theirs = (_grown_together((each != photo).any(2)) for each in (driven, frame))
    part = _around(mine | theirs)
    if part is None:
        return frame
    others = np.min([_distance(each, part) for each in there], axis=0)
    own = _distance(square, part)
    nearer = _rising(others - own, -_SEAM, _SEAM)
    mine, theirs = mine[part], theirs[part]
    # Of each pixel, how much is this person's frame; where nobody changed it both are the photo.
    share = np.where(mine, 1 - (1 - nearer) * _within_face(others), nearer * _within_face(own))
    share = np.where(mine & theirs, nearer, share)[..., None]
    result, before = frame.copy(), frame[part].astype(np.float32)
    result[part] = np.rint(before + share * (driven[part] - before)).astype(np.uint8)
    return result


def _grown_together(changed: np.ndarray) -> np.ndarray:
    """(h, w) bool without the pixels that stayed the same by chance."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_GAP, _GAP))
    return cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, disc).astype(bool)


def _around(changed: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns that hold all that changed; None where nothing did."""
    rows, columns = (np.flatnonzero(changed.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _distance(square: Alignment, part: tuple[slice, slice]) -> np.ndarray:
    """(h, w) from a face's middle to the pixels of a part of the frame, in sides of its square."""
    rows, columns = part
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    x, y = square.from_corner(columns.start, rows.start).middles(shape)
    return np.hypot(x - _MIDDLE[0], y - _MIDDLE[1])


def _within_face(distance: np.ndarray) -> np.ndarray:
    return 1 - _rising(distance, *_FACE)


def _rising(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """0 up to ``start``, 1 from ``end`` on, smooth between."""
    part = np.clip((values - start) / (end - start), 0, 1)
    return part * part * (3 - 2 * part)
