"""A turned head in the photo's own pixels.

When a head turns, a photo knows better than a generator what its person looks like: its pixels are
carried on the turned mesh (turned_mesh.py), hair included, the neck bends along and the body stays.
The generator shows what the photo has not: what opens in mouth and eyes, and skin that would be
stretched too far, in the photo's colours. The person's matte is carried along; behind it is the
photo, and the plate where the person was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from photorig.worker.portraits.alignment import Alignment

from .coarse import Coarse, blended
from .face_move import FaceMove
from .head_mesh import LOW, PITCH
from .head_motion import HeadMotion, HeadPlace
from .layers import beyond_edges, continued_beyond, gone_by, grown, person_colours
from .skin import skin_of
from .turned_mesh import HeadFields, fields, head_turn, turn_degrees

_BEGINS, _WHOLE = 0.0, 2.5
"""Degrees between which the photo carried on the turned mesh takes over from what is shown of a
head that looks as in the photo."""
_PAD = 0.35  # sides of the square, how far beyond the photo a head may have been
_COLOUR_REACH = 0.06  # sides of the square, from how far colours are told apart
_COLOUR_SIDE = 128  # the same for the resolution at which that is done
_GREATEST_ROLL = 3.0
"""Degrees in the plane of the picture that are done along with the turn, so that a little of it
does not cost sharpness."""
_SQUARE_EDGE = 0.08  # sides, over which the generator's picture ends with the square
_LEAST_TRUST = 0.02
_RIM = 0.012
"""Sides of the square: so near to the person's edge skin that comes into view is not believed."""
_UNLIKE = 25.0
"""Levels by which two pictures of the same skin hardly differ more than they do in the mean."""
_SOFT_SKIN = 2.5
"""Points of `_COLOUR_SIDE` over which skin that is stretched far is averaged."""
_OTHER = 12.0
"""Levels by which skin that only the generator has seen may differ from the photo's beside it."""
_DRAWN_EDGE = (0.25, 0.75)
"""Shares of the matte of the generator's picture between which its person's edge is seen."""


@dataclass(frozen=True, eq=False)
class RestHead:
    """A person at rest, with what goes on beyond the edges of the picture.

    Attributes:
        colours: (h + 2 pad, w + 2 pad, 3) uint8, the person's own colours.
        mattes: (h + 2 pad, w + 2 pad, 2) float32: of the person, and of what is well inside of it.
        skin: (h + 2 pad, w + 2 pad) float32, what is skin of the face.
        pad: pixels more on each side.
        alignment: from the picture's pixels, not counting these, to the aligned square.
    """

    colours: np.ndarray
    mattes: np.ndarray
    skin: np.ndarray
    pad: int
    alignment: Alignment

    @staticmethod
    def of(
        photo: np.ndarray, matte: np.ndarray, alignment: Alignment, landmarks: np.ndarray
    ) -> RestHead:
        """Of a photo (h, w, 3) uint8, the person's matte (h, w) float32 and the face's landmarks
        (478, 3)."""
        unit = alignment.side
        pad = round(_PAD * unit)
        own = person_colours(photo, matte, max(round(_COLOUR_REACH * unit), 3), unit / _COLOUR_SIDE)
        around = beyond_edges(matte, pad, unit)
        inside = cv2.GaussianBlur(grown(around, -_RIM * unit), (0, 0), max(_RIM / 2 * unit, 0.5))
        skin = np.zeros_like(around)
        skin[pad:-pad, pad:-pad] = skin_of(photo, alignment, landmarks)
        skin, mattes = np.minimum(skin, inside), cv2.merge([around, inside])
        return RestHead(continued_beyond(own, pad), mattes, skin, pad, alignment)


def turned_share(move: FaceMove) -> float:
    """How far a frame shows the photo on the turned mesh: 0 for a head that is not turned."""
    if not move.is_turned:
        return 0.0
    t = (turn_degrees(move) - _BEGINS) / (_WHOLE - _BEGINS)
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


def turned_person(
    photo: np.ndarray,
    plate: np.ndarray,
    matte: np.ndarray,
    uncovered: np.ndarray,
    head: RestHead,
    drawn: np.ndarray,
    drawn_matte: Callable[[], np.ndarray],
    move: FaceMove,
    place: HeadPlace,
    motion: HeadMotion,
) -> tuple[np.ndarray, np.ndarray]:
    """The photo with the person's head turned, (h, w, 3) uint8, and the person's matte (h, w).

    Args:
        photo: (h, w, 3) uint8.
        plate: (h, w, 3) uint8, the photo without the person.
        matte: (h, w) float32, the person in the photo.
        uncovered: (h, w) float32, where the plate may come into view, see `layers.with_fringe`.
        drawn: (s, s, 3) uint8, the generator's picture of the aligned square, its landmarks at
            ``move.target``.
        drawn_matte: gives the person in it, (m, m) float32.
        place: of the head in the square.
        motion: see `split_motion`.
    """
    found = fields(head_turn(move, place, motion), move.covered)
    shape = photo.shape[:2]
    coarse = Coarse.of((shape[0], shape[1]), head.alignment.side / PITCH)
    front, mattes, gone = _carried(head, _Ways.of(head, found.back, coarse), coarse)
    cover = coarse.enlarged(_on_raster(found.cover, coarse, head.alignment))
    part = _box(cover > 0)
    ways = _Ways.of(head, found.back_face, coarse)
    face, whole, way = _carried(head, ways, coarse, part)
    front[part] = blended(front[part], face, np.ascontiguousarray(cover[part]))
    mattes[part] += cover[part][..., None] * (whole - mattes[part])
    gone[part] += cover[part] * (way - gone[part])
    has_moved = gone_by(gone)
    person = _draw_unseen(front, mattes, drawn, drawn_matte, found, coarse, head, ways)
    behind = blended(photo, plate, has_moved * uncovered)
    turned = blended(behind, front, person)
    return blended(photo, turned, has_moved), matte + has_moved * (person - matte)


@dataclass(frozen=True, eq=False)
class _Ways:
    """A field on the mesh's raster, on a coarse raster of the picture.

    Attributes:
        sources: (m, n, 2) float32, pixels of a `RestHead`'s pictures.
        length: (m, n) float32, how far each point has come, in sides.
    """

    sources: np.ndarray
    length: np.ndarray

    @staticmethod
    def of(head: RestHead, back: np.ndarray, coarse: Coarse) -> _Ways:
        ways = _on_raster(back, coarse, head.alignment)
        sources = cv2.transform(ways, head.alignment.to_pixels) + coarse.positions
        return _Ways(sources + np.float32(head.pad), cv2.magnitude(*cv2.split(ways)))


def _carried(
    head: RestHead,
    ways: _Ways,
    coarse: Coarse,
    part: tuple[slice, slice] = (slice(None), slice(None)),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colours (h, w, 3) and mattes (h, w, 2) of a part of the picture moved, and how far each pixel
    has come, in sides."""
    sources = coarse.enlarged(ways.sources)[part]
    mattes = cv2.remap(head.mattes, sources, None, cv2.INTER_LINEAR)
    colours = cv2.remap(head.colours, sources, None, cv2.INTER_CUBIC)
    return colours, mattes, coarse.enlarged(ways.length)[part]


def _box(where: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold what is True."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _draw_unseen(
    front: np.ndarray,
    mattes: np.ndarray,
    drawn: np.ndarray,
    drawn_matte: Callable[[], np.ndarray],
    found: HeadFields,
    coarse: Coarse,
    head: RestHead,
    ways_of_face: _Ways,
) -> np.ndarray:
    """Let the generator's picture be seen where the photo's pixels cannot be trusted, in the
    colours of what is around; in place. Returns the person's matte."""
    person, inside = cv2.split(mattes)
    alignment = head.alignment
    known, own = _believed(found, coarse, head, ways_of_face)
    appears = coarse.enlarged(_on_raster(found.appears, coarse, alignment))
    trust = coarse.enlarged(known)
    unseen = (trust < 1) | ((appears > 0) & (inside < 1))
    rows, columns = _box(unseen)
    if rows.stop == 0:
        return person
    reach = round(2 * _COLOUR_REACH * alignment.side)
    top, left = max(rows.start - reach, 0), max(columns.start - reach, 0)
    part = (slice(top, rows.stop + reach), slice(left, columns.stop + reach))
    trust, mine, appears = trust[part], person[part], appears[part]
    ways = coarse.enlarged(_on_raster(found.drawn, coarse, alignment))[part]
    (a, b, c), (d, e, f) = alignment.matrix
    x = np.arange(trust.shape[1], dtype=np.float32) + np.float32(left + 0.5)
    y = (np.arange(trust.shape[0], dtype=np.float32) + np.float32(top + 0.5))[:, None]
    at_x = np.float32(a) * x + np.float32(b) * y + np.float32(c) + ways[..., 0]
    at_y = np.float32(d) * x + np.float32(e) * y + np.float32(f) + ways[..., 1]
    shown = _sampled(drawn, at_x, at_y)
    face = coarse.enlarged(_on_raster(found.face, coarse, alignment))[part]
    if found.beyond.max() > _LEAST_TRUST:
        beyond = coarse.enlarged(_on_raster(found.beyond, coarse, alignment))[part]
        shows = _within_square(at_x, at_y)
        shows *= coarse.enlarged(_on_raster(found.near, coarse, alignment))[part]
        low, high = _DRAWN_EDGE
        sharp = np.clip((_sampled(drawn_matte(), at_x, at_y) - low) / (high - low), 0, 1)
        mine = mine + beyond * (shows * sharp - mine)
        trust = 1 - (1 - trust) * (face + (1 - face) * shows)
    trust = trust * (1 - appears * (1 - inside[part]))
    carried = front[part]
    both = face * trust * mine
    shown = cv2.add(shown, _colours(carried, shown, both, alignment), dtype=cv2.CV_8U)
    if own.any():
        _show_skin(shown, carried, coarse.enlarged(own)[part] * mine, alignment)
    front[part] = blended(shown, carried, np.ascontiguousarray(trust))
    person[part] = np.maximum(mine, appears)
    return person


def _sampled(square: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A picture of the square at places in its sides; beyond its edges, as at them."""
    height, width = square.shape[:2]
    at = (x * np.float32(width) - np.float32(0.5), y * np.float32(height) - np.float32(0.5))
    way = cv2.INTER_CUBIC if square.ndim > 2 else cv2.INTER_LINEAR
    return cv2.remap(square, *at, way, borderMode=cv2.BORDER_REPLICATE)


def _within_square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 within the square, falling to 0 at its edges; places in its sides."""
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) / _SQUARE_EDGE
    t = np.clip(edge, 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def _colours(
    carried: np.ndarray, shown: np.ndarray, skin: np.ndarray, alignment: Alignment
) -> np.ndarray:
    """(h, w, 3) float32: by how much the photo's colours differ where skin (h, w) of it is seen;
    further away, and where something else than skin seems to differ, as on the whole of it."""
    factor = max(alignment.side / _COLOUR_SIDE, 1.0)
    height, width = skin.shape
    small = (max(round(width / factor), 1), max(round(height / factor), 1))
    weight = cv2.resize(skin, small, interpolation=cv2.INTER_AREA)
    first, second = (
        cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32)
        for picture in (carried, shown)
    )
    apart = first - second
    whole = (apart * weight[..., None]).sum((0, 1)) / max(float(weight.sum()), _LEAST_TRUST)
    odd = cv2.transform((apart - whole) ** 2, np.full((1, 3), 1 / (3 * _UNLIKE**2)))
    weights = cv2.merge([weight * np.exp(-odd)] * 3)
    reach = _COLOUR_REACH * _COLOUR_SIDE / 2
    total = cv2.GaussianBlur(weights, (0, 0), reach) + _LEAST_TRUST
    difference = cv2.GaussianBlur((apart - whole) * weights, (0, 0), reach) / total + whole
    return np.asarray(cv2.resize(difference, (width, height)))


def _believed(
    found: HeadFields, coarse: Coarse, head: RestHead, ways: _Ways
) -> tuple[np.ndarray, np.ndarray]:
    """On the coarse raster (m, n) float32: trust in the photo's pixels, and where beyond that they
    are skin all the same."""
    trust, of_skin = (
        _on_raster(values, coarse, head.alignment, 1.0) for values in (found.trust, found.of_skin)
    )
    aslant = _on_raster(found.aslant, coarse, head.alignment)
    skin = cv2.remap(head.skin, ways.sources, None, cv2.INTER_LINEAR)
    trust = trust * (1 - aslant * (1 - skin))
    return trust, skin * np.maximum(of_skin - trust, 0)


def _show_skin(
    shown: np.ndarray, carried: np.ndarray, skin: np.ndarray, alignment: Alignment
) -> None:
    """Where what the generator shows (h, w, 3) uint8 is no skin as the photo's beside it, show that
    (h, w) instead, in place, and out of focus: it is stretched far."""
    part = _box(skin > _LEAST_TRUST)
    carried, skin = carried[part], skin[part]
    if not skin.size:
        return
    factor = max(alignment.side / _COLOUR_SIDE, 1.0)
    height, width = skin.shape
    small = (max(round(width / factor), 1), max(round(height / factor), 1))
    first, second, weight = (
        cv2.resize(values, small, interpolation=cv2.INTER_AREA)
        for values in (carried, shown[part], skin)
    )
    weights = cv2.merge([weight] * 3)
    total = cv2.GaussianBlur(weights, (0, 0), _SOFT_SKIN) + np.float32(_LEAST_TRUST)
    soft = cv2.GaussianBlur(first.astype(np.float32) * weights, (0, 0), _SOFT_SKIN) / total
    apart = soft - second
    odd = cv2.transform(apart * apart, np.full((1, 3), 1 / (3 * _OTHER**2)))
    share = 1 - np.exp(-cv2.blur(odd, (3, 3)))
    colours = cv2.resize(soft, (width, height)).astype(np.uint8)
    weight = skin * cv2.resize(share, (width, height))
    shown[part] = blended(np.ascontiguousarray(shown[part]), colours, weight)


def _on_raster(
    values: np.ndarray, coarse: Coarse, alignment: Alignment, beyond: float = 0.0
) -> np.ndarray:
    """What is known on the mesh's raster, on a coarse raster of the picture."""
    return coarse.alignment(alignment).warped(values, coarse.shape, PITCH, LOW, beyond)
