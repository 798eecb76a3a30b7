"""From the generator's picture to the frame: background kept, head moved, face put back.

The generator's picture is not quite the photo, it drags the background along when it turns a head,
and it can neither roll a head nor shift it. Here it gets the detail of the photo, is cut to the
person and laid over the photo, and what geometry has to do is done to the result. At rest all of
this gives the photo.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

import cv2
import numpy as np

from .align import aligned_crop, side_in_pixels, to_photo
from .detail import SIDE, RestPictures, carried, colour_offset, follow, in_raster, small
from .head_motion import HeadMotion, HeadPlace
from .head_place import HeadFinder, LandmarkedHeads, in_crop, in_window
from .layers import RestPerson, background, blend, moved, rest_person
from .matte import Matte, PersonMatte, refined
from .paste_back import PasteWindow, paste_window
from .portrait import Portrait

VERSION = 3
"""Rises whenever this stage gives other pixels for the same portrait, picture and motion."""

_REMEMBERED = 4  # portraits and sizes
_WINDOW = 2.2  # side of the part of the photo a head moves in, in sides of the aligned square
_PERSON_REACH = (0.56, 0.66)  # from the middle of the square, in its sides: then others begin
_HEAD = (0.5, 0.55)  # a point that is inside the head of every aligned square

Value = TypeVar("Value")

RestCrop = Callable[[], np.ndarray]
"""Gives what the generator makes of a portrait's own latents, (s, s, 3) uint8."""


class PortraitStage:
    """Turns driven crops into frames.

    What belongs to a portrait at rest is made once and remembered; it is a pure function of the
    portrait and the size, so a frame does not depend on what was asked before.
    """

    def __init__(self, matte: Matte | None = None, heads: HeadFinder | None = None) -> None:
        self._matte = matte or PersonMatte()
        self._heads = heads or LandmarkedHeads()
        self._rests: _Memory[RestPictures] = _Memory()
        self._persons: _Memory[RestPerson] = _Memory()
        self._plates: _Memory[np.ndarray] = _Memory()
        self._places: _Memory[HeadPlace] = _Memory()

    @property
    def id(self) -> str:
        """Changes whenever the same portrait, crop and motion would give another frame."""
        return hashlib.sha256(f"{VERSION} {self._matte.id}".encode()).hexdigest()

    def rest_frame(self, portrait: Portrait, size: int | Literal["full"]) -> np.ndarray:
        """What is seen when nothing is asked for: the photo, or its aligned crop of that size."""
        if size == "full":
            return portrait.photo.copy()
        return aligned_crop(portrait.photo, portrait.alignment, size)

    def crop_frame(
        self, portrait: Portrait, crop: np.ndarray, motion: HeadMotion, rest: RestCrop
    ) -> np.ndarray:
        """The aligned crop as a frame.

        Args:
            crop: (s, s, 3) uint8 from the generator.
            rest: gives what the generator makes of the portrait's own latents at this size.

        Returns:
            (s, s, 3) uint8. Where neither the moved person nor the person at rest is, it is the
            aligned crop of the photo bit for bit.
        """
        size = crop.shape[0]
        pictures = self._rest_crops(portrait, size, rest)
        person = self._person_at_rest(portrait)
        driven, still = person.matte, pictures.photo
        if not np.array_equal(crop, pictures.generated):
            face = carried(crop, pictures, follow(crop, pictures.generated))
            driven = person.clean(self._matte.person(small(face)))
            still = blend(still, face, _at_size(person.seam(driven), still))
        if motion.is_rest:
            return still.copy() if still is pictures.photo else still
        key = (portrait.id, f"crop at {size}")
        plate = self._plates.get(key, lambda: _plate(pictures.photo, person, size))
        place = in_crop(self._place(portrait), size)
        return moved(still, refined(driven, still), plate, place, motion)

    def full_frame(
        self, portrait: Portrait, crop: np.ndarray, motion: HeadMotion, rest: RestCrop
    ) -> np.ndarray:
        """The whole photo with the driven crop put back.

        Args:
            crop: (s, s, 3) uint8 from the generator.
            rest: gives what the generator makes of the portrait's own latents at this size.

        Returns:
            (h, w, 3) uint8; outside the person, moved and at rest, it is the photo bit for bit.
        """
        frame = portrait.photo.copy()
        at_rest = self._rest_crops(portrait, crop.shape[0], rest).generated
        if not np.array_equal(crop, at_rest):
            self._put_back(portrait, crop, at_rest, frame)
        if motion.is_rest:
            return frame
        left, top, right, bottom = _window(portrait)
        window, photo = (whole[top:bottom, left:right] for whole in (frame, portrait.photo))
        corner = np.array([left, top], np.float64)
        place = in_window(self._place(portrait), portrait.alignment, corner)
        key = (portrait.id, "photo")
        around = self._persons.get(key, lambda: self._person_around(photo, place))
        plate = self._plates.get(key, lambda: _plate(photo, around, place.unit))
        driven = around.clean(self._matte.person(window))
        window[:] = moved(window, refined(driven, window), plate, place, motion)
        return frame

    def _put_back(
        self, portrait: Portrait, crop: np.ndarray, at_rest: np.ndarray, frame: np.ndarray
    ) -> None:
        """Puts a driven crop into the photo ``frame``, at the photo's own resolution."""
        flow = follow(crop, at_rest)
        face = carried(small(crop), self._rest_crops(portrait, SIDE, lambda: small(at_rest)), flow)
        person = self._person_at_rest(portrait)
        seam = person.seam(person.clean(self._matte.person(face)))
        hole = paste_window(portrait.photo.shape[:2], portrait.alignment)
        if hole.mask.size == 0:
            return
        key = (portrait.id, f"photo at {crop.shape[0]}")
        pictures = self._rests.get(key, lambda: self._rest_in_photo(portrait, at_rest, hole))
        shape = hole.mask.shape
        driven = in_raster(crop, pictures.alignment, shape)
        face = carried(driven, pictures, flow, hole.mask)
        window = frame[hole.rows, hole.columns]
        window[:] = blend(window, face, in_raster(seam, pictures.alignment, shape))

    def _rest_crops(self, portrait: Portrait, size: int, rest: RestCrop) -> RestPictures:
        """Photo and generator at rest as aligned crops."""

        def make() -> RestPictures:
            photo = aligned_crop(portrait.photo, portrait.alignment, size)
            generated = rest()
            person = self._person_at_rest(portrait).matte
            offset = colour_offset(photo, generated, person)
            return RestPictures(
                _frozen(photo), _frozen(generated), offset, Portrait.aligned_photo(size)
            )

        return self._rests.get((portrait.id, f"crop at {size}"), make)

    def _rest_in_photo(
        self, portrait: Portrait, at_rest: np.ndarray, hole: PasteWindow
    ) -> RestPictures:
        """Photo and generator at rest in the part of the photo that holds the aligned square."""
        alignment = hole.alignment(portrait.alignment)
        return RestPictures(
            portrait.photo[hole.rows, hole.columns],
            _frozen(in_raster(at_rest, alignment, hole.mask.shape)),
            self._rest_crops(portrait, SIDE, lambda: small(at_rest)).offset,
            alignment,
        )

    def _person_at_rest(self, portrait: Portrait) -> RestPerson:
        """The person in the aligned crop of the photo."""

        def make() -> RestPerson:
            photo = aligned_crop(portrait.photo, portrait.alignment, SIDE)
            matte = self._matte.person(photo)
            side = matte.shape[0]
            return rest_person(matte, (_HEAD[0] * side, _HEAD[1] * side), side)

        return self._persons.get((portrait.id, "aligned photo"), make)

    def _place(self, portrait: Portrait) -> HeadPlace:
        return self._places.get((portrait.id, ""), lambda: self._heads.find(portrait))

    def _person_around(self, window: np.ndarray, place: HeadPlace) -> RestPerson:
        """The person in a window of the photo, without those who stand beside.

        The matte is square, whatever the window is.
        """
        matte = self._matte.person(window)
        x, y = np.array(matte.shape[::-1]) / window.shape[1::-1]
        head = (float(place.centre[0] * x), float(place.centre[1] * y))
        columns, rows = np.arange(matte.shape[1]) + 0.5, np.arange(matte.shape[0])[:, None] + 0.5
        away = np.hypot(columns / x - place.centre[0], rows / y - place.centre[1]) / place.unit
        near, far = _PERSON_REACH
        reach = np.clip((far - away) / (far - near), 0, 1).astype(np.float32)
        return rest_person(matte, head, place.unit * math.sqrt(x * y), reach)


def _plate(picture: np.ndarray, person: RestPerson, unit: float) -> np.ndarray:
    return _frozen(background(picture, refined(person.matte, picture), unit))


def _at_size(mask: np.ndarray, picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)


def _frozen(picture: np.ndarray) -> np.ndarray:
    picture = picture.copy()
    picture.flags.writeable = False
    return picture


def _window(portrait: Portrait) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of the photo in which the head moves."""
    height, width = portrait.photo.shape[:2]
    middle = to_photo(np.array([[0.5, 0.5]]), portrait.alignment)[0]
    reach = _WINDOW / 2 * side_in_pixels(portrait.alignment)
    left, top = np.clip(np.floor(middle - reach), 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(middle + reach), 0, [width, height]).astype(int)
    return int(left), int(top), int(right), int(bottom)


class _Memory(Generic[Value]):
    """The last few results by portrait and what they are for; threads may share it."""

    def __init__(self) -> None:
        self._values: OrderedDict[tuple[str, str], Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str], make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > _REMEMBERED:
                self._values.popitem(last=False)
        return value
