"""A turned head in the photo's own pixels.

When a head turns, a photo knows better than a generator what its person looks like: its pixels are
carried on the turned mesh (turned_mesh.py), hair included, the neck bends along and the body stays.
The generator shows what the photo has not: what opens in mouth and eyes, and skin that would be
stretched too far, in the photo's colours. The person's matte is carried along; behind it is the
photo, and the plate where the person was. A head that is rolled or shifted besides is looked for
where that motion brings it from, so that each pixel is taken from the photo once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from photorig.worker import rasters

from .coarse import Coarse, Part, blended, box, tiles, within
from .face_move import FaceMove
from .head_mesh import LOW, PITCH
from .head_motion import HeadMotion, HeadPlace
from .layers import gone_by, mixed
from .moved_head import HeadWays
from .own_colours import shrunk
from .rest_head import COLOUR_SIDE, RestHead
from .turned_colours import DrawnColours
from .turned_mesh import HeadFields, fields, head_turn, turn_degrees

_BEGINS, _ENDS = 0.0, 2.5
"""Degrees between which the photo carried on the turned mesh takes over from what is shown of a
head that looks as in the photo."""
_COLOUR_REACH = 0.12  # sides of the square around what is drawn in which colours are told apart
_GREATEST_ROLL = 3.0
"""Degrees in the plane of the picture that are done along with the turn, so that a little of it
does not cost sharpness."""
_SQUARE_EDGE = 0.08  # sides, over which the generator's picture ends with the square
_LEAST_TRUST = 0.02

Places = tuple[np.ndarray, np.ndarray]
"""Where in a picture, x and y, (h, w) float32 each, as OpenCV counts them."""

_DRAWN_EDGE = (0.25, 0.75)
"""Shares of the matte of the generator's picture between which its person's edge is seen."""
_WHOLE, _LEAST = 511 / 512, 1 / 512
"""A weight that is all but 1, and one that is all but 0: what is between changes no level."""


def turned_share(move: FaceMove) -> float:
    """How far a frame shows the photo on the turned mesh: 0 for a head that is not turned."""
    if not move.is_turned:
        return 0.0
    t = (turn_degrees(move) - _BEGINS) / (_ENDS - _BEGINS)
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def split_motion(motion: HeadMotion, tilt: float) -> tuple[HeadMotion, HeadMotion]:
    """What of a motion in the picture is done with the turn, and what is left to be done after.

    Args:
        tilt: degrees that the motion takes back of what only the generator does.
    """
    whole = motion.roll + tilt
    roll = min(max(whole, -_GREATEST_ROLL), _GREATEST_ROLL)
    return HeadMotion(roll=roll), replace(motion, roll=whole - roll, lead=(0.0, 0.0))


@dataclass(frozen=True, eq=False)
class Turn:
    """How a head is turned.

    Attributes:
        move: of the face's mesh; the generator's picture has its landmarks at ``move.target``.
        place: of the head in the square.
        along: what the mesh does besides, see `split_motion`.
        left: how the turned head moves in the picture, if it does.
    """

    move: FaceMove
    place: HeadPlace
    along: HeadMotion
    left: HeadWays | None = None


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the generator has drawn.

    Attributes:
        picture: (s, s, 3) uint8, the aligned square.
        matte: gives the person in it, (m, m) float32.
    """

    picture: np.ndarray
    matte: Callable[[], np.ndarray]


def draw_turned(
    picture: np.ndarray, share: float, head: RestHead, drawn: Drawn, turn: Turn
) -> None:
    """Let a picture (h, w, 3) uint8 show a share in (0, 1] of a person whose head is turned."""
    turned = _Turned(head, drawn, turn)
    everywhere = (slice(0, picture.shape[0]), slice(0, picture.shape[1]))
    for part in tiles(everywhere, picture):
        picture[part] = mixed(picture[part], turned.picture(part), share)


def turned_matte(head: RestHead, drawn: Drawn, turn: Turn) -> np.ndarray:
    """(h, w) float32, how far each pixel of a photo whose head is turned is the person."""
    turned, result = _Turned(head, drawn, turn), head.scene.matte.copy()
    everywhere = (slice(0, result.shape[0]), slice(0, result.shape[1]))
    for part in tiles(everywhere, result):
        result[part] = turned.matte(part)
    return result


class _Turned:
    """A turned person in a picture, of which everything smooth is known on a coarse raster."""

    def __init__(self, head: RestHead, drawn: Drawn, turn: Turn) -> None:
        self._head, self._drawn = head, drawn
        shape, alignment, left = head.scene.photo.shape[:2], head.scene.alignment, turn.left
        turned = head_turn(turn.move, turn.place, turn.along)
        found = fields(turned, turn.move.covered, turn.move.frame)
        self._coarse = Coarse.of((shape[0], shape[1]), alignment.side / PITCH)
        places = self._coarse.positions if left is None else left.sources
        self._place_fields(found, places)
        self._has_moved = self._gone if left is None else cv2.max(self._gone, left.fade)
        self._drawn_matte: np.ndarray | None = None
        if found.beyond.max() > _LEAST_TRUST:
            self._drawn_matte = drawn.matte()
            self._shows = self._near * _within_square(self._at, drawn.picture.shape[0])
            self._unseen *= self._face + (1 - self._face) * self._shows
        self._colours = self._told_apart()

    def _place_fields(self, found: HeadFields, places: np.ndarray) -> None:
        """What is known on the mesh's raster, where it is shown.

        Args:
            places: (m, n, 2) float32, what pixel of the picture each one of the raster shows when
                the head is not turned.
        """
        alignment, size = self._head.scene.alignment, self._drawn.picture.shape[0]
        at = cv2.transform(places, alignment.for_opencv(PITCH, LOW))

        def placed(*fields: np.ndarray) -> np.ndarray:
            return cv2.remap(cv2.merge(fields), at, None, cv2.INTER_LINEAR)

        both = np.kron(np.eye(2), alignment.to_pixels)
        ways = placed(found.back, found.back_face)
        behind_x, behind_y, before_x, before_y = cv2.split(cv2.transform(ways, both))
        x, y = cv2.split(places + np.float32(self._head.pad))
        self._behind, self._before = (x + behind_x, y + behind_y), (x + before_x, y + before_y)
        drawn_x, drawn_y, self._cover, self._face = cv2.split(
            placed(found.drawn, found.cover, found.face)
        )
        x, y = cv2.split(cv2.transform(places, alignment.for_opencv(size)))
        self._at = (x + np.float32(size) * drawn_x, y + np.float32(size) * drawn_y)
        self._appears, self._near = (
            cv2.remap(field, at, None, cv2.INTER_LINEAR) for field in (found.appears, found.near)
        )
        doubt, doubt_of_skin, aslant, self._beyond = cv2.split(
            placed(1 - found.trust, 1 - found.of_skin, found.aslant, found.beyond)
        )
        # What a face's border lies on is believed if it is skin, and skin is believed further.
        skin = cv2.remap(self._head.skin, *self._before, cv2.INTER_LINEAR)
        trust = (1 - doubt) * (1 - aslant * (1 - skin))
        self._unseen, self._skin = 1 - trust, skin * np.maximum(1 - doubt_of_skin - trust, 0)
        x, y, x_before, y_before = cv2.split(ways)
        gone, gone_before = cv2.magnitude(x, y), cv2.magnitude(x_before, y_before)
        self._gone = gone_by(gone + self._cover * (gone_before - gone))

    def picture(self, part: Part) -> np.ndarray:
        """A part of the picture, (h, w, 3) uint8."""
        photo, plate = self._head.scene.photo[part], self._head.scene.plate[part]
        has_moved = self._coarse.enlarged(self._has_moved, part)
        if has_moved.max() < _LEAST:
            return photo
        person, unseen = self._person(part)
        # The plate is behind the person, both are in layers that fade in over the photo.
        seen = has_moved * person
        bare = has_moved * has_moved * self._head.scene.uncovered[part] * (1 - person)
        result = photo.copy()
        if bare.max() >= _LEAST:
            result = blended(photo, plate, bare / np.maximum(1 - seen, _LEAST))
        inner = box(seen >= _LEAST)
        if inner[0].stop:
            front = self._front(within(part, inner), unseen[inner])
            is_whole = seen[inner].min() >= _WHOLE
            result[inner] = front if is_whole else blended(result[inner], front, seen[inner])
        return result

    def matte(self, part: Part) -> np.ndarray:
        """A part of the person's matte, (h, w) float32."""
        has_moved, matte = (
            self._coarse.enlarged(self._has_moved, part),
            self._head.scene.matte[part],
        )
        return matte + has_moved * (self._person(part)[0] - matte)

    def _person(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """(h, w) float32 each: the person in front, and how far the generator's picture is seen."""
        person = self._carried(self._head.around, part, cv2.INTER_LINEAR)
        unseen, beyond, appears = (
            self._coarse.enlarged(field, part)
            for field in (self._unseen, self._beyond, self._appears)
        )
        if self._drawn_matte is not None and beyond.any():
            at = self._enlarged(self._at, part)
            factor = self._drawn.picture.shape[0] / self._drawn_matte.shape[0]
            drawn = _stretched(_resampled(self._drawn_matte, at, factor), *_DRAWN_EDGE)
            shown = self._coarse.enlarged(self._shows, part) * drawn
            person = person + beyond * (shown - person)
        if appears.any():
            inside = self._carried(self._head.inside, part, cv2.INTER_LINEAR)
            unseen = 1 - (1 - unseen) * (1 - appears * (1 - inside))
            person = np.maximum(person, appears)
        return person, unseen

    def _front(self, part: Part, unseen: np.ndarray) -> np.ndarray:
        """What a part of the picture shows of the person, (h, w, 3) uint8."""
        front = self._carried(self._head.colours, part, cv2.INTER_CUBIC)
        inner = box(unseen >= _LEAST)
        if not inner[0].stop:
            return front
        hidden, share = within(part, inner), unseen[inner]
        at = self._enlarged(self._at, hidden)
        border = cv2.BORDER_REPLICATE
        drawn = cv2.remap(self._drawn.picture, *at, cv2.INTER_CUBIC, borderMode=border)
        apart = self._coarse.enlarged(self._colours.apart, hidden)
        drawn = cv2.add(drawn, apart, dtype=cv2.CV_8U)
        if self._colours.is_skin[self._coarse.around(hidden)].any():
            skin = rasters.saturated(self._coarse.enlarged(self._colours.skin, hidden))
            drawn = blended(drawn, skin, self._coarse.enlarged(self._colours.is_skin, hidden))
        front[inner] = blended(front[inner], drawn, share)
        return front

    def _carried(self, values: np.ndarray, part: Part, way: int) -> np.ndarray:
        """What a part of the picture shows of the padded photo: its face before what is around."""
        cover = self._coarse.enlarged(self._cover, part)
        if cover.min() >= _WHOLE:
            return cv2.remap(values, *self._enlarged(self._before, part), way)
        result = cv2.remap(values, *self._enlarged(self._behind, part), way)
        inner = box(cover > 0)
        if inner[0].stop:
            sources = self._enlarged(self._before, within(part, inner))
            face, share = cv2.remap(values, *sources, way), cover[inner]
            if values.ndim > 2:
                result[inner] = blended(result[inner], face, share)
            else:
                result[inner] += share * (face - result[inner])
        return result

    def _enlarged(self, at: Places, part: Part) -> Places:
        x, y = (self._coarse.enlarged(field, part) for field in at)
        return x, y

    def _told_apart(self) -> DrawnColours:
        """In what colours the generator's picture is shown, where it is."""
        unit = self._head.scene.alignment.side / self._coarse.factor
        inner, reach = box((self._unseen > 0) | (self._appears > 0)), round(_COLOUR_REACH * unit)
        if not inner[0].stop:
            return DrawnColours.none(self._coarse.shape)
        rows, columns = (slice(max(side.start - reach, 0), side.stop + reach) for side in inner)
        height, width = self._unseen[rows, columns].shape
        step = max(round(unit / COLOUR_SIDE), 1)
        size = (max(width // step, 1), max(height // step, 1))

        def small(field: np.ndarray) -> np.ndarray:
            return cv2.resize(field[rows, columns], size, interpolation=cv2.INTER_AREA)

        is_face = small(self._cover) > 0.5
        x, y = (
            np.where(is_face, small(before), small(behind))
            for before, behind in zip(self._before, self._behind, strict=True)
        )
        head, picture = self._head, self._drawn.picture
        mine, inside = (cv2.remap(m, x, y, cv2.INTER_LINEAR) for m in (head.around, head.inside))
        carried = _resampled(head.small, (x, y), head.factor)
        factor = max(int(picture.shape[0] / COLOUR_SIDE), 1)
        at_x, at_y = (small(field) for field in self._at)
        drawn = _resampled(shrunk(picture, factor), (at_x, at_y), factor)
        seen = (1 - small(self._unseen)) * (1 - small(self._appears) * (1 - inside))
        both, skin = small(self._face) * seen * mine, small(self._skin) * mine
        found = DrawnColours.of(carried, drawn, both, skin, unit / step)
        return found.enlarged((rows, columns), self._coarse.shape, self._skin)


def _resampled(values: np.ndarray, at: Places, factor: float) -> np.ndarray:
    """Values (h, w, …) of pixels ``factor`` times as large at places among smaller ones; beyond the
    edges as at them."""
    half = np.float32(0.5)
    x, y = ((field + half) / np.float32(factor) - half for field in at)
    return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _stretched(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values from 0 at the lower bound to 1 at the upper one."""
    return np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)


def _within_square(at: Places, size: int) -> np.ndarray:
    """1 within the square of so many pixels, falling to 0 at its edges."""
    x, y = ((field + np.float32(0.5)) / np.float32(size) for field in at)
    edge = cv2.min(cv2.min(x, 1 - x), cv2.min(y, 1 - y)) / _SQUARE_EDGE
    t = np.clip(edge, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
