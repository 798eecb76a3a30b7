"""From the generator's picture to the frame: background kept, head moved, face put back.

The generator drags the background along when it turns a head, and it can neither roll a head nor
shift it. Here its picture is cut to the person and laid over the picture at rest, and what geometry
has to do is done to the result.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from .align import aligned_crop, side_in_pixels, to_photo
from .head_motion import HeadMotion, HeadPlace
from .head_place import HeadFinder, LandmarkedHeads, in_crop, in_window
from .layers import RestLayers, blend, clean, moved, rest_layers, seam
from .matte import Matte, PersonMatte
from .paste_back import paste_back
from .portrait import Portrait

VERSION = 1
"""Rises whenever this stage gives other pixels for the same portrait, picture and motion."""

_REMEMBERED = 4  # portraits and sizes
_WINDOW = 2.2  # side of the part of the photo a head moves in, in sides of the aligned square
_HEAD = (0.5, 0.55)  # a point that is inside the head of every aligned square

Value = TypeVar("Value")


class PortraitStage:
    """Turns driven crops into frames.

    What belongs to a portrait at rest is made once and remembered; it is a pure function of the
    portrait and the size, so a frame does not depend on what was asked before.
    """

    def __init__(self, matte: Matte | None = None, heads: HeadFinder | None = None) -> None:
        self._matte = matte or PersonMatte()
        self._heads = heads or LandmarkedHeads()
        self._rests: _Memory[RestLayers] = _Memory()
        self._places: _Memory[HeadPlace] = _Memory()

    @property
    def id(self) -> str:
        """Changes whenever the same portrait, crop and motion would give another frame."""
        return hashlib.sha256(f"{VERSION} {self._matte.id}".encode()).hexdigest()

    def crop_frame(
        self,
        portrait: Portrait,
        crop: np.ndarray,
        motion: HeadMotion,
        rest: Callable[[], np.ndarray],
    ) -> np.ndarray:
        """The aligned crop as a frame.

        Args:
            crop: (s, s, 3) uint8 from the generator.
            rest: gives what the generator makes of the portrait's own latents at this size.

        Returns:
            (s, s, 3) uint8. Where neither the moved person nor the person at rest is, it is
            ``rest`` bit for bit.
        """
        size = crop.shape[0]
        key = (portrait.id, f"crop at {size}")
        layers = self._rests.get(key, lambda: self._crop_layers(rest()))
        person, still = layers.person, layers.picture
        if not np.array_equal(crop, layers.picture):
            person = clean(self._matte.person(crop), layers.gate, layers.core)
            still = blend(layers.picture, crop, seam(layers.person, person, size))
        if motion.is_rest:
            return still.copy()
        place = in_crop(self._place(portrait), size)
        return moved(still, person, layers, place, motion)

    def full_frame(self, portrait: Portrait, crop: np.ndarray, motion: HeadMotion) -> np.ndarray:
        """The whole photo with the driven crop put back.

        Args:
            crop: (s, s, 3) uint8 from the generator.

        Returns:
            (h, w, 3) uint8; outside the person, moved and at rest, it is the photo bit for bit.
        """
        size = crop.shape[0]
        key = (portrait.id, f"photo at {size}")
        own = self._rests.get(key, lambda: self._photo_crop_layers(portrait, size))
        person = clean(self._matte.person(crop), own.gate, own.core)
        mask = seam(own.person, person, size)
        frame = paste_back(portrait.photo, crop, portrait.alignment, mask)
        if motion.is_rest:
            return frame
        left, top, right, bottom = _window(portrait)
        window = frame[top:bottom, left:right]
        layers = self._rests.get((portrait.id, "photo"), lambda: self._photo_layers(portrait))
        person = clean(self._matte.person(window), layers.gate, layers.core)
        corner = np.array([left, top], np.float64)
        place = in_window(self._place(portrait), portrait.alignment, corner)
        window[:] = moved(window, person, layers, place, motion)
        return frame

    def _place(self, portrait: Portrait) -> HeadPlace:
        return self._places.get((portrait.id, ""), lambda: self._heads.find(portrait))

    def _crop_layers(self, picture: np.ndarray) -> RestLayers:
        size = picture.shape[0]
        head = (_HEAD[0] * size, _HEAD[1] * size)
        return rest_layers(picture, self._matte.person(picture), head, size)

    def _photo_crop_layers(self, portrait: Portrait, size: int) -> RestLayers:
        return self._crop_layers(aligned_crop(portrait.photo, portrait.alignment, size))

    def _photo_layers(self, portrait: Portrait) -> RestLayers:
        left, top, right, bottom = _window(portrait)
        picture = portrait.photo[top:bottom, left:right]
        head = to_photo(np.array([_HEAD]), portrait.alignment)[0] - [left, top]
        unit = side_in_pixels(portrait.alignment)
        return rest_layers(picture, self._matte.person(picture), (head[0], head[1]), unit)


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
