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
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from photorig.shared.bounded_cache import BoundedCache
from photorig.worker import rasters
from photorig.worker.faces.segmentation import Matte, PersonMatte, refined
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.rasters import Raster

from .canvas import Canvas, Size, canvas_of
from .detail import (
    SIDE,
    Carried,
    Flow,
    RestPictures,
    carried,
    colour_offset,
    optical_flow,
    small,
)
from .face_move import FaceMove
from .fine_matte import finer_matte
from .head_motion import HeadMotion, HeadPlace
from .head_place import HeadFinder, LandmarkedHeads, in_window
from .layers import (
    RestPerson,
    background,
    composited_over,
    mixed,
    rest_person,
    with_fringe,
    with_surroundings,
)
from .moved_head import HeadWays, moved_matte, warped
from .paste_back import PasteWindow, paste_window
from .rest_head import RestHead, Scene
from .tone import Tone, tone_of
from .turned_face import (
    Drawn,
    Turn,
    draw_turned,
    split_motion,
    turned_matte,
    turned_share,
)

VERSION = 16
"""Rises whenever this stage gives other pixels for the same portrait, picture and motion."""

_REMEMBERED = 4  # portraits and sizes
_WINDOW = 2.2  # side of the part of the photo a head moves in, in sides of the aligned square
_PERSON_REACH = (0.56, 0.66)  # from the middle of the square, in its sides: then others begin
_HEAD = (0.5, 0.55)  # a point that is inside the head of every aligned square

Value = TypeVar("Value")

RestCrop = Callable[[], np.ndarray]
"""Gives what the generator makes of a portrait's own latents, (s, s, 3) uint8."""


@dataclass(frozen=True, eq=False)
class RestLayers:
    """What belongs to a portrait at rest in a canvas, see `Canvas`.

    Attributes:
        region: rows and columns of the scene's photo in which the head moves.
        matte: (h, w) float32 in [0, 1], the person in the region, without those who stand beside.
        around: (h, w) float32, the same with some of what surrounds the person.
        plate: (h, w, 3) uint8, the region without the person.
        uncovered: (h, w) float32, where in the region it may come into view.
        window: the part of the photo that changes when the face is driven; it is in the region.
        pictures: photo and generator in the window.
        aligned: the same as an aligned crop at the size at which flow is found.
        person: in that crop.
    """

    region: tuple[slice, slice]
    matte: np.ndarray
    around: np.ndarray
    plate: np.ndarray
    uncovered: np.ndarray
    window: PasteWindow
    pictures: RestPictures
    aligned: RestPictures
    person: RestPerson

    @property
    def part(self) -> tuple[slice, slice]:
        """The window, counted from the region's corner."""
        return _within(self.window, self.region)

    def seams(
        self, surrounded: np.ndarray, alone: np.ndarray, face: Carried
    ) -> tuple[np.ndarray, np.ndarray]:
        """Seams (m, n) of the driven person, known within the square, as they lie in the window;
        beyond the square that of the person at rest, moved as the photo is."""
        window = self.window
        beyond = face.ways.taken_along(self.matte[self.part])
        around, shown = beyond[window.inner], window.shown[window.inner]
        seams = []
        for seam in (surrounded, alone):
            seam = window.inner_alignment.placed(seam, shown.shape)
            whole = beyond.copy()
            whole[window.inner] = around + shown * (seam - around)
            seams.append(whole)
        return seams[0], refined(seams[1], face.picture)

    def carried_seams(self, face: Carried) -> tuple[np.ndarray, np.ndarray]:
        """The same where it is known how everything moves: seams of the person at rest, moved."""
        around, alone = (
            face.ways.taken_along(seam[self.part]) for seam in (self.around, self.matte)
        )
        return around, alone

    def aligned_crop(self, picture: np.ndarray) -> np.ndarray:
        """The aligned square (SIDE, SIDE, 3) of a picture of the window."""
        inner = picture[self.window.inner]
        if self.window.inner_alignment.is_whole(inner.shape):
            return small(inner)
        return self.window.alignment.crop(picture, SIDE)


class PortraitStage:
    """Turns driven crops into frames.

    What belongs to a portrait at rest is made once and remembered; it is a pure function of the
    portrait and the size, so a frame does not depend on what was asked before.

    Attributes:
        takes_tensors: whether its pictures may be on a device.
    """

    takes_tensors = False

    def __init__(self, matte: Matte | None = None, heads: HeadFinder | None = None) -> None:
        self._matte = matte or PersonMatte()
        self._heads = heads or LandmarkedHeads()
        self._canvases: _Memory[Canvas] = _Memory()
        self._rests: _Memory[RestLayers] = _Memory()
        self._aligned: _Memory[RestPictures] = _Memory()
        self._persons: _Memory[RestPerson] = _Memory()
        self._places: _Memory[HeadPlace] = _Memory()
        self._heads_at_rest: _Memory[RestHead] = _Memory()
        self._tones: _Memory[Tone | None] = _Memory()

    @property
    def id(self) -> str:
        """Changes whenever the same portrait, crop and motion would give another frame."""
        return hashlib.sha256(f"{VERSION} {self._matte.id}".encode()).hexdigest()

    def rest_frame(self, portrait: Portrait, size: Size) -> np.ndarray:
        """What is seen when nothing is asked for: the photo, or its aligned crop of that size."""
        if size == "full":
            return portrait.photo.copy()
        return portrait.alignment.crop(portrait.photo, size)

    def frame(
        self,
        portrait: Portrait,
        size: Size,
        crop: np.ndarray,
        motion: HeadMotion,
        rest: RestCrop,
        move: FaceMove | None = None,
        complete: float = 0.0,
    ) -> np.ndarray:
        """The photo, or its aligned crop, with the driven face in it.

        Args:
            size: of the frame.
            crop: (s, s, 3) uint8 from the generator; s is ``size`` if that is a number.
            rest: gives what the generator makes of the portrait's own latents at this size.
            move: where the face's mesh went, if that is known.
            complete: 0 to 1, how far the crop shows all of the person already; where it does,
                nothing of the photo is added.

        Returns:
            (h, w, 3) uint8; outside the person, moved and at rest, it is `rest_frame` bit for bit.
        """
        canvas, crop = self._canvas(portrait, size), self._toned(portrait, crop)
        at_rest = self._at_rest(portrait, size, canvas, crop.shape[0], rest)
        return self._made(portrait, size, canvas, at_rest, crop, motion, move, complete)

    def _made(
        self,
        portrait: Portrait,
        size: Size,
        canvas: Canvas,
        at_rest: RestLayers | None,
        crop: Raster,
        motion: HeadMotion,
        move: FaceMove | None,
        complete: float,
    ) -> np.ndarray:
        """A frame (h, w, 3) uint8, made where canvas, crop and what rests are."""
        frame = rasters.copied(canvas.photo)
        if at_rest is None:
            return rasters.finished(frame[canvas.cut])
        region, share = frame[at_rest.region], 0.0 if move is None else turned_share(move)
        if share < 1:
            if self._is_driven(at_rest, crop):
                region[at_rest.part], person = self._driven(at_rest, crop, move, complete)
            else:
                person = at_rest.matte
            if not motion.is_rest:
                place = self._place(portrait, canvas, at_rest)
                region[:] = warped(region, person, at_rest.plate, place, motion)
        if share > 0 and move is not None:
            turn = self._turn(portrait, size, canvas, at_rest, crop, motion, move)
            draw_turned(region, share, *turn)
        return rasters.finished(frame[canvas.cut])

    def matte(
        self,
        portrait: Portrait,
        size: Size,
        crop: np.ndarray,
        motion: HeadMotion,
        rest: RestCrop,
        move: FaceMove | None = None,
        complete: float = 0.0,
    ) -> np.ndarray:
        """How much of each pixel of `frame` is the person, (h, w) float32 in [0, 1]."""
        canvas, crop = self._canvas(portrait, size), self._toned(portrait, crop)
        matte = np.zeros(canvas.photo.shape[:2], np.float32)
        at_rest = self._at_rest(portrait, size, canvas, crop.shape[0], rest)
        if at_rest is None:
            return matte[canvas.cut]
        share, region = 0.0 if move is None else turned_share(move), matte[at_rest.region]
        if share < 1:
            person = at_rest.matte
            if self._is_driven(at_rest, crop):
                _, person = self._driven(at_rest, crop, move, complete)
            if not motion.is_rest:
                person = moved_matte(person, self._place(portrait, canvas, at_rest), motion)
            region[:] = np.clip(person, 0, 1)
        if share > 0 and move is not None:
            turn = self._turn(portrait, size, canvas, at_rest, crop, motion, move)
            region += share * (np.clip(turned_matte(*turn), 0, 1) - region)
        return np.ascontiguousarray(matte[canvas.cut])

    def face(
        self,
        portrait: Portrait,
        crop: np.ndarray,
        rest: RestCrop,
        move: FaceMove | None = None,
        complete: float = 0.0,
    ) -> np.ndarray:
        """The driven face (s, s, 3) before it is put back: the generator's picture with the detail
        of the photo, of a turned head the photo's pixels; arguments as of `frame`."""
        crop, generated = (self._toned(portrait, picture) for picture in (crop, rest()))
        photo = portrait.alignment.crop(portrait.photo, crop.shape[0])
        pictures = self._pictures(portrait, photo, generated)
        pictures, flow = _less_of_photo(pictures, _flow(crop, generated, move), complete)
        face = carried(crop, pictures, flow).picture
        share, size = 0.0 if move is None else turned_share(move), crop.shape[0]
        canvas = self._canvas(portrait, size)
        at_rest = self._at_rest(portrait, size, canvas, crop.shape[0], rest) if share > 0 else None
        if move is None or at_rest is None:
            return face
        whole, still = canvas.photo.copy(), HeadMotion(roll=-move.tilt)
        turn = self._turn(portrait, size, canvas, at_rest, crop, still, move)
        draw_turned(whole[at_rest.region], 1.0, *turn)
        return mixed(face, whole[canvas.cut], share)

    def _toned(self, portrait: Portrait, picture: Raster) -> Raster:
        """A picture of the generator, without colours if the photo has none."""
        tone = self._tones.get((portrait.id,), lambda: tone_of(portrait.photo))
        return picture if tone is None else tone.applied(picture)

    def _is_driven(self, rest: RestLayers, crop: Raster) -> bool:
        return not rasters.equal(small(crop), rest.aligned.generated)

    def _driven(
        self, rest: RestLayers, crop: Raster, move: FaceMove | None, complete: float
    ) -> tuple[Raster, Raster]:
        """The window (h, w, 3) with the driven crop in it, and the driven person's matte in the
        region, float32."""
        flow = _flow(crop, rest.aligned.generated, move)
        pictures, flow = _less_of_photo(rest.pictures, flow, complete)
        face = carried(crop, pictures, flow, rest.window)
        if is_known(move):
            surrounded, alone = rest.carried_seams(face)
        else:
            person = rest.person
            driven = person.clean(self._matte.person(rest.aligned_crop(face.picture)))
            surrounded, alone = rest.seams(person.surrounded(driven), person.alone(driven), face)
        plate, uncovered = rest.plate[rest.part], rest.uncovered[rest.part]
        window = composited_over(
            rest.pictures.photo, plate, face.picture, (surrounded, alone), face.way, uncovered
        )
        matte = rasters.copied(rest.matte)
        matte[rest.part] = alone
        return window, matte

    def _turn(
        self,
        portrait: Portrait,
        size: Size,
        canvas: Canvas,
        rest: RestLayers,
        crop: np.ndarray,
        motion: HeadMotion,
        move: FaceMove,
    ) -> tuple[RestHead, Drawn, Turn]:
        """What there is in the region to turn the head, and how."""
        photo, (rows, columns) = canvas.photo[rest.region], rest.region

        def make() -> RestHead:
            alignment = canvas.alignment.from_corner(columns.start, rows.start)
            scene = Scene(photo, rest.plate, rest.matte, rest.uncovered, alignment)
            return RestHead.of(scene, move.rest)

        head = self._heads_at_rest.get((portrait.id, size), make)
        place = self._places.get((portrait.id,), lambda: self._heads.find(portrait))
        along, left = split_motion(motion, move.tilt)
        ways = None
        if not left.is_rest:
            ways = HeadWays.of(photo.shape, self._place(portrait, canvas, rest), left)
        drawn = Drawn(crop, lambda: self._matte.person(small(crop)))
        return head, drawn, Turn(move, place, along, ways)

    def _canvas(self, portrait: Portrait, size: Size) -> Canvas:
        return self._canvases.get((portrait.id, size), lambda: canvas_of(portrait, size))

    def _at_rest(
        self, portrait: Portrait, size: Size, canvas: Canvas, side: int, rest: RestCrop
    ) -> RestLayers | None:
        """For the generator's pictures of that side; None where the square misses the photo."""
        window = paste_window(canvas.photo.shape[:2], canvas.alignment)
        if not window.shown.any():
            return None
        key = (portrait.id, size, side)
        return self._rests.get(key, lambda: self._rest(portrait, canvas, window, rest()))

    def _rest(
        self,
        portrait: Portrait,
        canvas: Canvas,
        window: PasteWindow,
        generated: np.ndarray,
    ) -> RestLayers:
        """Photo, generator (s, s, 3) and person at rest in a canvas."""
        person, generated = self._person(portrait), self._toned(portrait, generated)
        aligned = self._aligned.get(
            (portrait.id, generated.shape[0]),
            lambda: self._pictures(portrait, _aligned(portrait), small(generated)),
        )
        photo = canvas.photo[window.rows, window.columns]
        in_photo = _frozen(window.alignment.placed(generated, photo.shape))
        pictures = RestPictures(photo, in_photo, aligned.offset, window.alignment)
        region, unit = _region(canvas), canvas.alignment.side
        around = canvas.photo[region]
        matte = refined(_person_around(self._matte.person(around), canvas, region).matte, around)
        part = _within(window, region)
        square = refined(window.alignment.placed(person.matte, photo.shape), photo)
        matte[part] += window.shown * (square - matte[part])
        matte = finer_matte(around, matte, unit)
        plate = _frozen(background(around, matte, unit))
        mattes = (matte, with_surroundings(matte, unit), with_fringe(matte, unit))
        matte, surrounded, uncovered = (_frozen(value) for value in mattes)
        return RestLayers(
            region, matte, surrounded, plate, uncovered, window, pictures, aligned, person
        )

    def _pictures(
        self, portrait: Portrait, photo: np.ndarray, generated: np.ndarray
    ) -> RestPictures:
        """Aligned crops of photo and generator at rest."""
        offset = colour_offset(photo, generated, self._person(portrait).matte)
        alignment = Alignment.upright(photo.shape[0])
        return RestPictures(_frozen(photo), _frozen(generated), offset, alignment)

    def _person(self, portrait: Portrait) -> RestPerson:
        """The person in the aligned crop of the photo."""

        def make() -> RestPerson:
            matte = self._matte.person(_aligned(portrait))
            side = matte.shape[0]
            return rest_person(matte, (_HEAD[0] * side, _HEAD[1] * side), side)

        return self._persons.get((portrait.id,), make)

    def _place(self, portrait: Portrait, canvas: Canvas, rest: RestLayers) -> HeadPlace:
        """Where the head is in the region."""
        place = self._places.get((portrait.id,), lambda: self._heads.find(portrait))
        rows, columns = rest.region
        return in_window(place, canvas.alignment, np.array([columns.start, rows.start], np.float64))


def _flow(crop: Raster, generated: Raster, move: FaceMove | None) -> Flow:
    """How a driven crop came out of the one at rest: by the mesh where only that moved."""
    if move is None or not is_known(move):
        return optical_flow(crop, generated)
    return move.flow(crop, generated)


def _less_of_photo(
    pictures: RestPictures, flow: Flow, complete: float
) -> tuple[RestPictures, Flow]:
    """What is carried along where the crop shows a part of that already."""
    if not complete:
        return pictures, flow
    left = np.float32(1 - complete)
    return replace(pictures, offset=left * pictures.offset), replace(flow, trust=left * flow.trust)


def is_known(move: FaceMove | None) -> bool:
    """Whether a mesh says how everything moves."""
    return move is not None and (move.posed is not None or not move.is_turned)


def _region(canvas: Canvas) -> tuple[slice, slice]:
    """Rows and columns of a scene's photo in which the head moves."""
    height, width = canvas.photo.shape[:2]
    middle = canvas.alignment.middle
    reach = _WINDOW / 2 * canvas.alignment.side
    left, top = np.clip(np.floor(middle - reach), 0, [width, height]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(middle + reach), 0, [width, height]).astype(int).tolist()
    return slice(top, bottom), slice(left, right)


def _within(window: PasteWindow, region: tuple[slice, slice]) -> tuple[slice, slice]:
    top, left = region[0].start, region[1].start
    return (
        slice(window.rows.start - top, window.rows.stop - top),
        slice(window.columns.start - left, window.columns.stop - left),
    )


def _person_around(matte: np.ndarray, canvas: Canvas, region: tuple[slice, slice]) -> RestPerson:
    """The person of the aligned square in the matte (m, n) of a region of the canvas.

    The matte is square, whatever the region is.
    """
    rows, columns = region
    height, width = rows.stop - rows.start, columns.stop - columns.start
    unit = canvas.alignment.side
    middle = canvas.alignment.middle - [columns.start, rows.start]
    x, y = matte.shape[1] / width, matte.shape[0] / height
    across, down = np.arange(matte.shape[1]) + 0.5, np.arange(matte.shape[0])[:, None] + 0.5
    away = np.hypot(across / x - middle[0], down / y - middle[1]) / unit
    near, far = _PERSON_REACH
    reach = np.clip((far - away) / (far - near), 0, 1).astype(np.float32)
    head = (float(middle[0] * x), float(middle[1] * y))
    return rest_person(matte, head, unit * math.sqrt(x * y), reach)


def _aligned(portrait: Portrait) -> np.ndarray:
    return portrait.alignment.crop(portrait.photo, SIDE)


def _frozen(picture: np.ndarray) -> np.ndarray:
    picture = picture.copy()
    picture.flags.writeable = False
    return picture


class _Memory(Generic[Value]):
    """The last few results by portrait and size; threads may share it."""

    def __init__(self) -> None:
        self._values = BoundedCache[tuple[str | int, ...], Value](_REMEMBERED)
        self._lock = threading.Lock()

    def get(self, key: tuple[str | int, ...], make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                return self._values.get(key)  # type: ignore[return-value]
        value = make()
        with self._lock:
            self._values.put(key, value)
        return value
