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
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import cv2
import numpy as np

from .align import aligned_crop, side_in_pixels, to_photo
from .detail import SIDE, Carried, RestPictures, carried, colour_offset, follow, in_raster, small
from .head_motion import HeadMotion, HeadPlace
from .head_place import HeadFinder, LandmarkedHeads, in_crop, in_window
from .layers import RestPerson, background, laid_over, moved, rest_person
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


@dataclass(frozen=True, eq=False)
class _Rest:
    """What belongs to a portrait at rest in a raster of pixels: a crop, or a part of the photo.

    Attributes:
        pictures: photo and generator in the raster.
        aligned: the same as an aligned crop at the size at which flow is found.
        person: in the aligned crop.
        plate: (h, w, 3) uint8, the raster without the person.
        matte: (h, w) float32, the person in the raster.
        window: where the raster is a part of the photo.
    """

    pictures: RestPictures
    aligned: RestPictures
    person: RestPerson
    plate: np.ndarray
    matte: np.ndarray
    window: PasteWindow | None = None

    def in_raster(self, seam: np.ndarray, face: Carried) -> np.ndarray:
        """A seam (m, n) of the driven person, known within the square, as it lies in the raster;
        beyond the square that of the person at rest, moved as the photo is."""
        seam = in_raster(seam, self.pictures.alignment, face.way.shape)
        if self.window is None:
            return seam
        beyond = cv2.remap(self.matte, face.sources, None, cv2.INTER_LINEAR)
        return beyond + self.window.shown * (seam - beyond)


class PortraitStage:
    """Turns driven crops into frames.

    What belongs to a portrait at rest is made once and remembered; it is a pure function of the
    portrait and the size, so a frame does not depend on what was asked before.
    """

    def __init__(self, matte: Matte | None = None, heads: HeadFinder | None = None) -> None:
        self._matte = matte or PersonMatte()
        self._heads = heads or LandmarkedHeads()
        self._crops: _Memory[_Rest] = _Memory()
        self._photos: _Memory[_Rest] = _Memory()
        self._persons: _Memory[RestPerson] = _Memory()
        self._surroundings: _Memory[_Surroundings] = _Memory()
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

    def face(self, portrait: Portrait, crop: np.ndarray, rest: RestCrop) -> np.ndarray:
        """The generator's picture with the detail of the photo, before it is put back.

        Args:
            crop: (s, s, 3) uint8 from the generator.
            rest: gives what the generator makes of the portrait's own latents at this size.

        Returns:
            (s, s, 3) uint8.
        """
        at_rest = self._crop_at_rest(portrait, crop.shape[0], rest)
        return carried(crop, at_rest.pictures, follow(crop, at_rest.pictures.generated)).picture

    def person(self, frame: np.ndarray) -> np.ndarray:
        """How much of each pixel of a frame (h, w, 3) is a person, (h, w) float32 in [0, 1]."""
        return refined(self._matte.person(frame), frame)

    def crop_frame(
        self, portrait: Portrait, crop: np.ndarray, motion: HeadMotion, rest: RestCrop
    ) -> np.ndarray:
        """The aligned crop as a frame; arguments as of `face`.

        Returns:
            (s, s, 3) uint8. Where neither the moved person nor the person at rest is, it is the
            aligned crop of the photo bit for bit.
        """
        size = crop.shape[0]
        at_rest = self._crop_at_rest(portrait, size, rest)
        frame, driven = self._driven(at_rest, crop)
        if motion.is_rest:
            return frame
        place = in_crop(self._place(portrait), size)
        return moved(frame, driven, at_rest.plate, place, motion)

    def full_frame(
        self, portrait: Portrait, crop: np.ndarray, motion: HeadMotion, rest: RestCrop
    ) -> np.ndarray:
        """The whole photo with the driven crop put back; arguments as of `face`.

        Returns:
            (h, w, 3) uint8; outside the person, moved and at rest, it is the photo bit for bit.
        """
        frame = portrait.photo.copy()
        around = self._surroundings_of(portrait)
        person = around.matte
        window = paste_window(portrait.photo.shape[:2], portrait.alignment)
        if window.shown.any():
            at_rest = self._photo_at_rest(portrait, crop.shape[0], rest, window)
            person = person.copy()
            frame[window.rows, window.columns], person[around.part(window)] = self._driven(
                at_rest, crop
            )
        if motion.is_rest:
            return frame
        part = frame[around.rows, around.columns]
        corner = np.array([around.columns.start, around.rows.start], np.float64)
        place = in_window(self._place(portrait), portrait.alignment, corner)
        part[:] = moved(part, person, around.plate, place, motion)
        return frame

    def _driven(self, rest: _Rest, crop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The raster of ``rest`` with the driven crop in it, and the driven person's matte there,
        (h, w) float32."""
        pictures, small_crop = rest.pictures, small(crop)
        if np.array_equal(small_crop, rest.aligned.generated):
            return pictures.photo.copy(), rest.matte
        flow = follow(small_crop, rest.aligned.generated)
        face = carried(small_crop, rest.aligned, flow)
        driven = rest.person.clean(self._matte.person(face.picture))
        if pictures is not rest.aligned:
            face = carried(crop, pictures, flow, rest.window)
        surrounded = rest.in_raster(rest.person.surrounded(driven), face)
        alone = rest.in_raster(rest.person.alone(driven), face)
        alone = refined(alone, face.picture)
        frame = laid_over(pictures.photo, rest.plate, face.picture, (surrounded, alone), face.way)
        return frame, alone

    def _crop_at_rest(self, portrait: Portrait, size: int, rest: RestCrop) -> _Rest:
        return self._crops.get((portrait.id, size), lambda: self._make_crop(portrait, size, rest))

    def _make_crop(self, portrait: Portrait, size: int, rest: RestCrop) -> _Rest:
        """The aligned crop of that size at rest."""
        person = self._person_in(portrait)

        def pictures(photo: np.ndarray, generated: np.ndarray) -> RestPictures:
            offset = colour_offset(photo, generated, person.matte)
            alignment = Portrait.aligned_photo(photo.shape[0])
            return RestPictures(_frozen(photo), _frozen(generated), offset, alignment)

        photo, generated = aligned_crop(portrait.photo, portrait.alignment, size), rest()
        whole = pictures(photo, generated)
        aligned = whole if size == SIDE else pictures(_aligned(portrait), small(generated))
        matte = refined(person.matte, photo)
        return _Rest(whole, aligned, person, _frozen(background(photo, matte, size)), matte)

    def _photo_at_rest(
        self, portrait: Portrait, size: int, rest: RestCrop, window: PasteWindow
    ) -> _Rest:
        return self._photos.get(
            (portrait.id, size), lambda: self._make_photo(portrait, size, rest, window)
        )

    def _make_photo(
        self, portrait: Portrait, size: int, rest: RestCrop, window: PasteWindow
    ) -> _Rest:
        """The part of the photo around the aligned square, at rest."""
        crop, around = self._crop_at_rest(portrait, size, rest), self._surroundings_of(portrait)
        photo, shape = portrait.photo[window.rows, window.columns], window.shown.shape
        generated = in_raster(crop.pictures.generated, window.alignment, shape)
        pictures = RestPictures(photo, _frozen(generated), crop.aligned.offset, window.alignment)
        beyond = around.matte[around.part(window)]
        matte = refined(in_raster(crop.person.matte, window.alignment, shape), photo)
        matte = beyond + window.shown * (matte - beyond)
        plate = background(photo, matte, side_in_pixels(window.alignment))
        return _Rest(pictures, crop.aligned, crop.person, _frozen(plate), matte, window)

    def _place(self, portrait: Portrait) -> HeadPlace:
        return self._places.get((portrait.id, 0), lambda: self._heads.find(portrait))

    def _person_in(self, portrait: Portrait) -> RestPerson:
        """The person in the aligned crop of the photo."""

        def make() -> RestPerson:
            matte = self._matte.person(_aligned(portrait))
            side = matte.shape[0]
            return rest_person(matte, (_HEAD[0] * side, _HEAD[1] * side), side)

        return self._persons.get((portrait.id, 0), make)

    def _surroundings_of(self, portrait: Portrait) -> _Surroundings:
        return self._surroundings.get(
            (portrait.id, 0), lambda: _surroundings(portrait, self._matte)
        )


@dataclass(frozen=True, eq=False)
class _Surroundings:
    """The part of a photo in which the head moves.

    Attributes:
        rows, columns: of the photo.
        matte: (h, w) float32, the person in that part, without those who stand beside.
        plate: (h, w, 3) uint8, that part without the person.
    """

    rows: slice
    columns: slice
    matte: np.ndarray
    plate: np.ndarray

    def part(self, window: PasteWindow) -> tuple[slice, slice]:
        """Rows and columns of a window that lies in this part."""
        top, left = self.rows.start, self.columns.start
        return (
            slice(window.rows.start - top, window.rows.stop - top),
            slice(window.columns.start - left, window.columns.stop - left),
        )


def _surroundings(portrait: Portrait, matte: Matte) -> _Surroundings:
    height, width = portrait.photo.shape[:2]
    unit = side_in_pixels(portrait.alignment)
    middle = to_photo(np.array([[0.5, 0.5]]), portrait.alignment)[0]
    left, top = np.clip(np.floor(middle - _WINDOW / 2 * unit), 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(middle + _WINDOW / 2 * unit), 0, [width, height]).astype(int)
    rows, columns = slice(int(top), int(bottom)), slice(int(left), int(right))
    photo = portrait.photo[rows, columns]
    person = _person_around(matte.person(photo), photo, middle - [left, top], unit)
    refined_matte = refined(person.matte, photo)
    return _Surroundings(
        rows, columns, refined_matte, _frozen(background(photo, refined_matte, unit))
    )


def _person_around(
    matte: np.ndarray, window: np.ndarray, middle: np.ndarray, unit: float
) -> RestPerson:
    """The person whose aligned square has that middle and side in the window of a photo.

    The matte is square, whatever the window is.
    """
    x, y = np.array(matte.shape[::-1]) / window.shape[1::-1]
    columns, rows = np.arange(matte.shape[1]) + 0.5, np.arange(matte.shape[0])[:, None] + 0.5
    away = np.hypot(columns / x - middle[0], rows / y - middle[1]) / unit
    near, far = _PERSON_REACH
    reach = np.clip((far - away) / (far - near), 0, 1).astype(np.float32)
    head = (float(middle[0] * x), float(middle[1] * y))
    return rest_person(matte, head, unit * math.sqrt(x * y), reach)


def _aligned(portrait: Portrait) -> np.ndarray:
    return aligned_crop(portrait.photo, portrait.alignment, SIDE)


def _frozen(picture: np.ndarray) -> np.ndarray:
    picture = picture.copy()
    picture.flags.writeable = False
    return picture


class _Memory(Generic[Value]):
    """The last few results by portrait and size; threads may share it."""

    def __init__(self) -> None:
        self._values: OrderedDict[tuple[str, int], Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int], make: Callable[[], Value]) -> Value:
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
