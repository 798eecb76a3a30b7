"""Closed lids of a photo's person, drawn once by the untuned generator; and their eyes, taken apart
(take_eyes_apart.py)."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.compositing.face_mesh import FacePose, field, warped
from photorig.worker.faces.face_topology import RIGHT_BROW
from photorig.worker.generators.regions import RegionalStyles
from photorig.worker.portraits.eye_frame import PARTS as INNER_PARTS
from photorig.worker.portraits.eye_frame import Eye, EyeFrame, smooth
from photorig.worker.portraits.eyeball import Eyeballs
from photorig.worker.portraits.eyelids import ABOVE, BELOW, COLUMNS, PARTS, ROWS, ClosedLids

from .calibration import DrivenFace
from .face_target import IRISES, SIDES, FaceTarget, lid_edges, settled_lids
from .open_eyes import with_open_eyes
from .region_masks import region_masks
from .regional_controls import RegionalShifts
from .take_eyes_apart import eyeballs_of

EYES = tuple(Eye(*lid_edges(side), IRISES[side]) for side in SIDES)

_SIZE = 512
"""Of the picture of closed lids."""
_PHOTO = 1024
"""Of the photo whose eyes are taken apart."""
_AMOUNTS = (1.0, 1.15, 1.3)
"""Of eyeBlink, as far as the generator goes with it, that are tried."""
_CLOSED, _USABLE = 0.05, 0.1
"""Gap between lids, in widths of the eye, that are closed, and that are closed enough."""
_NARROW = 0.17
"""Gap at rest below which lids are closed already, as far as there is something to see."""
_OPEN = 0.4
"""Part of the gap at rest that is too far open to be kept."""
_COLOUR_SIDE = 256
_COLOUR_REACH = 5.0
"""Pixels of that over which the generator's colours are compared with the photo's."""
_EYE_REACH = 0.35
"""Widths of an eye around it that are no skin."""
LOWER_BROW = {"Right": RIGHT_BROW[5:], "Left": (285, 295, 282, 283, 276)}
_BELOW_BROW = 0.42
"""Part of the way from the lid to the brow up to which the kept skin is seen."""
_LEAST_RISE, _MOST_RISE = 0.08, 0.3
"""The same in widths of the eye."""
_STRETCHED = (0.6, 1.3)
"""How far skin may be stretched so that brows come to lie on each other."""
_LASH = 0.7
"""How much darker than skin lashes are."""
_LASHES_WITHIN, _LASHES_ALONG = 0.16, (0.02, 0.96)
"""Widths from the landmarks' edge, and parts along it, where lashes are looked for."""
_LASHES_AMONG = 9.0
"""Texels over which skin is that lashes are darker than."""
_LASHES_NEAR, _LASHES_EVEN = 400.0, 4.0
"""Levels that a width away squared, and a texel's jump squared, are worth."""
_LASHES_BENT = 4
"""Degree of the curve of lashes."""
_LASHES_HIGH = 0.028
"""Half the height, in widths of the eye, of the line where lids meet."""
_HAIRS, _HAIR, _FANNED, _HAIRY = 40, 0.075, 0.16, 0.75
"""Lashes: how many, how long and how far fanned out in widths of the eye, and how dark."""
_LASHES_DARK, _LASHES_DARKER = 0.55, 0.72
"""Light that they send on at most, a part of the skin's, and what is left of that."""
_LEAST_LIGHT, _MOST_LIFTED = 0.8, 1.8
"""Light of a closed lid, as a part of that of the skin below the eye, and by how much it is lifted
to that at most: lids come forward out of the shade that deep-set eyes lie in."""
_ON_LID, _UNDER_EYE = (0.05, 0.2), -0.2
"""Widths above the closed edge between which a lid is compared, with skin from so far below."""
_OUT_OF_SHADE = 0.6
"""Lift over which a lid comes to have the colour of that skin."""
_OWN_COLOUR = 0.35
"""How much of its own colours is kept, beside those of the skin around."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_GAINS = (0.5, 2.0)


def eye_parts(
    untuned: DrivenFace, face: DrivenFace, rest: np.ndarray
) -> tuple[ClosedLids | None, Eyeballs | None]:
    """Closed lids and eyeballs of a face; None where they cannot be had.

    Args:
        untuned, face: driven by the generator without and with the portrait's tuning.
        rest: (478, 3) landmarks of the tuned generator's picture, in sides of the square.
    """
    portrait = face.portrait
    photo = portrait.alignment.crop(portrait.photo, _PHOTO)
    drawn = face.generator.synthesize(portrait.latents[None], _COLOUR_SIDE, RegionalStyles.none())[
        0
    ]
    offset = _skin_offset(photo, drawn, rest)
    lids = _closed_lids(untuned, rest, photo, offset)
    own = eyeballs_of(photo, offset, rest, EYES, FacePose.of(rest).scale)
    blink = RegionalShifts(face.bundle).deltas(_blink(1.0))
    return lids, with_open_eyes(own, untuned, blink, rest, EYES, offset)


def _skin_offset(photo: np.ndarray, drawn: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """(256, 256, 3) float32: by how much the photo's colours differ from the generator's on the
    skin around the eyes, and what that comes to within them."""
    small = cv2.resize(photo, (_COLOUR_SIDE, _COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    weight = np.ones(small.shape[:2], np.float32)
    for eye in EYES:
        points = rest[np.concatenate([eye.upper, eye.lower]), :2] * _COLOUR_SIDE
        middle = points.mean(0)
        width = float(np.linalg.norm(points[0] - points[len(eye.upper) - 1]))
        outline = cv2.convexHull((middle + (points - middle) * (1 + _EYE_REACH)).astype(np.int32))
        cv2.fillConvexPoly(weight, outline, 0.0)
        cv2.polylines(weight, [outline], True, 0.0, max(int(_EYE_REACH * width), 1))
    difference = small.astype(np.float32) - drawn
    result, total = np.zeros_like(difference), np.zeros(weight.shape, np.float32)
    for wider in (1.0, 2.0, 4.0):
        reach = wider * _COLOUR_REACH
        share = cv2.GaussianBlur(weight, (0, 0), reach) * (0.05 if wider > 1 else 1.0) ** wider
        result += share[..., None] * (
            cv2.GaussianBlur(difference * weight[..., None], (0, 0), reach)
            / (cv2.GaussianBlur(weight, (0, 0), reach)[..., None] + 1e-6)
        )
        total += share
    return np.asarray(result / (total[..., None] + 1e-9))


# ---------------------------------------------------------------- lids


def _closed_lids(
    untuned: DrivenFace, rest: np.ndarray, photo: np.ndarray, offset: np.ndarray
) -> ClosedLids | None:
    drawn = _drawn_closed(untuned, rest)
    if drawn is None:
        return None
    picture, seen = drawn
    target, pose = FaceTarget(rest), FacePose.of(rest)
    shut = settled_lids(target.landmarks(_blink(1.0), rest, pose), rest, rest, (True, True))
    small = cv2.resize(photo, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA)
    stretched = warped(small, field(shut, rest, pose.scale))
    skin = np.zeros((2, ROWS, COLUMNS, 3), np.uint8)
    rise, unit = np.zeros((2, COLUMNS), np.float32), np.zeros(2, np.float32)
    for number, (side, eye) in enumerate(zip(SIDES, EYES, strict=True)):
        own, at_rest = EyeFrame.of(seen * _SIZE, eye), EyeFrame.of(rest * _SIZE, eye)
        there = EyeFrame.of(shut * _SIZE, eye)
        if own is None or at_rest is None or there is None:
            continue
        if _gap(rest, eye) < _NARROW or _gap(seen, eye) > max(_USABLE, _OPEN * _gap(rest, eye)):
            continue
        brow = list(LOWER_BROW[side])
        height = _rise(_under_brow(at_rest, rest[brow] * _SIZE))
        under = _under_brow(own, seen[brow] * _SIZE), _under_brow(there, shut[brow] * _SIZE)
        longer = np.clip(under[0] / np.maximum(under[1], 0.05), *_STRETCHED)
        like = _rolled_out(stretched, there)
        lowered = there.edge(0, _parts()) - at_rest.edge(0, _parts())
        lashes = _lash_line(_rolled_out(picture, own, longer))
        taken = _rolled_out(picture, own, longer, lashes)
        matched = _in_colours_of(like, taken, height, lowered / there.width)
        x, y = _places(there)
        matched -= _sampled(offset, x * _COLOUR_SIDE / _SIZE, y * _COLOUR_SIDE / _SIZE)
        skin[number] = np.rint(np.clip(matched, 0, 255))
        rise[number], unit[number] = height, at_rest.width / (_SIZE * pose.scale)
    return ClosedLids(skin, rise, unit) if unit.any() else None


def _drawn_closed(face: DrivenFace, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Picture of eyes as closed as they get, and its landmarks in sides of the square."""
    shifts, masks = RegionalShifts(face.bundle), region_masks(rest)
    best, least = None, np.inf
    for amount in _AMOUNTS:
        styles = RegionalStyles(shifts.deltas(_blink(1.0)) * np.float32(amount), masks)
        picture = face.generator.synthesize(face.portrait.latents[None], _SIZE, styles)[0]
        try:
            landmarks = face.net3d.analyze_one(picture).landmarks / _SIZE
        except InputError:
            continue
        gap = max(_gap(landmarks, eye) for eye in EYES)
        if gap < least:
            best, least = (picture, landmarks), gap
        if gap < _CLOSED:
            break
    return best


def _blink(amount: float) -> np.ndarray:
    amounts = np.zeros(len(ARKIT_NAMES), np.float32)
    for side in SIDES:
        amounts[ARKIT_NAMES.index(f"eyeBlink{side}")] = amount
    return amounts


def _gap(landmarks: np.ndarray, eye: Eye) -> float:
    """Mean gap between lids, in widths of the eye."""
    frame = EyeFrame.of(landmarks * _SIZE, eye)
    return np.inf if frame is None else float(frame.gap(INNER_PARTS).mean() / frame.width)


def _parts() -> np.ndarray:
    """(COLUMNS,) parts of the eye's width at the skin's columns."""
    return PARTS[0] + (np.arange(COLUMNS) + 0.5) / COLUMNS * (PARTS[1] - PARTS[0])


def _heights() -> np.ndarray:
    """(ROWS, 1) units above the closed edge at its rows."""
    return (ABOVE - (np.arange(ROWS) + 0.5) / ROWS * (ABOVE + BELOW))[:, None]


def _under_brow(frame: EyeFrame, brow: np.ndarray) -> np.ndarray:
    """(COLUMNS,) widths from the upper lid's edge up to the brow (n, ≥ 2)."""
    part, down = frame.inwards(brow[:, 0], brow[:, 1])
    order = np.argsort(part)
    edge = np.interp(_parts(), part[order], down[order])
    free = (frame.edge(0, _parts()) - edge) / frame.width
    return np.asarray(cv2.GaussianBlur(free.astype(np.float32)[None], (0, 0), 8.0)[0])


def _rise(under_brow: np.ndarray) -> np.ndarray:
    """(COLUMNS,) widths above the lid at rest up to which closed lids are seen."""
    return np.clip(_BELOW_BROW * under_brow, _LEAST_RISE, _MOST_RISE)


def _places(
    frame: EyeFrame, longer: np.ndarray | float = 1.0, raised: np.ndarray | float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """(ROWS, COLUMNS) x and y, pixels, of the skin's texels around a closed lid's edge.

    Args:
        longer: (COLUMNS,) how much longer everything above the edge is than texels are.
        raised: (COLUMNS,) widths that the edge is above where the landmarks have it.
    """
    part = np.broadcast_to(_parts(), (ROWS, COLUMNS))
    edge = (frame.edge(0, _parts()) + frame.edge(1, _parts())) / 2 - raised * frame.width
    heights = np.where(_heights() > 0, longer, 1.0) * _heights()
    return frame.outwards(part, edge - heights * frame.width)


def _rolled_out(
    picture: np.ndarray,
    frame: EyeFrame,
    longer: np.ndarray | float = 1.0,
    raised: np.ndarray | float = 0.0,
) -> np.ndarray:
    """(ROWS, COLUMNS, 3) float32 of a picture around a closed lid's edge."""
    return _sampled(picture, *_places(frame, longer, raised)).astype(np.float32)


def _lash_line(skin: np.ndarray) -> np.ndarray:
    """(COLUMNS,) widths above the landmarks' edge at which the lashes of rolled out skin (ROWS,
    COLUMNS, 3) are: landmarks of shut eyes miss them by a fifth of the eye's opening.

    The darkest line along the lid that does not jump, by dynamic programming; a smooth curve
    through it.
    """
    light = cv2.GaussianBlur(skin @ _LUMA, (0, 0), sigmaX=2.0, sigmaY=1.0)
    dark = cv2.GaussianBlur(light, (0, 0), sigmaX=2.0, sigmaY=_LASHES_AMONG) - light
    heights, parts = _heights()[:, 0], _parts()
    rows = np.flatnonzero(np.abs(heights) < _LASHES_WITHIN)
    columns = np.flatnonzero((parts > _LASHES_ALONG[0]) & (parts < _LASHES_ALONG[1]))
    dark = np.maximum(dark[np.ix_(rows, columns)], 0) - _LASHES_NEAR * heights[rows, None] ** 2
    best, came = dark[:, 0].copy(), np.zeros(dark.shape, np.int64)
    places = np.arange(len(rows))
    jumps = _LASHES_EVEN * (places[:, None] - places) ** 2
    for column in range(1, len(columns)):
        reached = best - jumps
        came[:, column] = reached.argmax(1)
        best = reached.max(1) + dark[:, column]
    path = [int(best.argmax())]
    for column in range(len(columns) - 1, 0, -1):
        path.append(int(came[path[-1], column]))
    line = heights[rows[path[::-1]]]
    weight = np.maximum(dark[path[::-1], np.arange(len(columns))], 0) + 1.0
    curve = np.polynomial.Polynomial.fit(parts[columns], line, _LASHES_BENT, w=weight)
    ends = parts[columns[0]], parts[columns[-1]]
    fades = smooth((parts - PARTS[0]) / (ends[0] - PARTS[0]))
    fades = fades * smooth((PARTS[1] - parts) / (PARTS[1] - ends[1]))
    return np.asarray(curve(np.clip(parts, *ends)) * fades)


def _sampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cv2.remap(
        picture,
        (x - 0.5).astype(np.float32),
        (y - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _in_colours_of(
    like: np.ndarray, taken: np.ndarray, rise: np.ndarray, lowered: np.ndarray
) -> np.ndarray:
    """(ROWS, COLUMNS, 3) float32: skin that goes over into other skin around it.

    Args:
        like: the photo's skin, stretched to closed lids; taken: the generator's.
        rise, lowered: (COLUMNS,) widths that it is seen above the lid at rest, and that the lid has
            come down.
    """
    height, part = _heights(), _parts()[None]
    top = rise + np.maximum(lowered, 0)
    above = np.exp(-(((height - top) / 0.07) ** 2)) * (height > 0.05)
    below = np.exp(-(((height + 0.22) / 0.06) ** 2))
    beside = np.maximum(smooth(-(part + 0.08) / 0.1), smooth((part - 1.08) / 0.1))
    weight = np.maximum(np.maximum(above, below), 0.7 * beside * (height < top))
    weight = weight.astype(np.float32)
    near, far = _blurred(like), _blurred(taken)
    gains = np.exp(_diffused(np.log((near + 8) / (far + 8)), weight))
    matched = taken * np.clip(gains, *_GAINS)
    lifted = _lift(matched @ _LUMA, top)[..., None]
    matched *= lifted
    light = np.maximum(matched @ _LUMA, 1.0)[..., None]
    matched *= _lashed(light[..., 0])[..., None] / light
    light = np.maximum(matched @ _LUMA, 1.0)[..., None]
    near_light = np.maximum(near @ _LUMA, 1.0)[..., None]
    around = _diffused(near / near_light, weight)
    # As they come out of the shade they lose its colour.
    around += smooth((lifted - 1) / _OUT_OF_SHADE) * (_under_eye(near / near_light) - around)
    usual = cv2.GaussianBlur(light, (0, 0), 12.0)[..., None]
    lash = smooth((usual - light) / (_LASH * usual))
    around += 0.35 * lash * (1 - around)  # lashes are less the skin's colour than black
    return np.asarray(light * (around + _OWN_COLOUR * (matched / light - around)))


def _lift(light: np.ndarray, top: np.ndarray) -> np.ndarray:
    """(ROWS, COLUMNS) by how much closed lids of this light are too dark; 1 from where, (COLUMNS,)
    widths above their edge, they end."""
    height, part = _heights(), _parts()
    inner = (part > 0.2) & (part < 0.8)
    lid = np.median(light[(height[:, 0] > _ON_LID[0]) & (height[:, 0] < _ON_LID[1])][:, inner])
    under = float(_under_eye(light))
    lift = np.clip(_LEAST_LIGHT * under / max(float(lid), 1.0), 1.0, _MOST_LIFTED)
    above = smooth((top - height) / np.maximum(0.5 * top, 1e-3))
    below = smooth((height - _UNDER_EYE) / -_UNDER_EYE)
    beside = smooth((part + 0.15) / 0.3) * smooth((1.15 - part) / 0.3)
    return np.asarray(1 + (lift - 1) * above * below * beside, np.float32)


def _under_eye(skin: np.ndarray) -> np.ndarray:
    """Usual values (…) of rolled out skin (ROWS, COLUMNS, …) below the eye."""
    part = _parts()
    below = skin[_heights()[:, 0] < _UNDER_EYE][:, (part > 0.2) & (part < 0.8)]
    return np.asarray(np.median(below, axis=(0, 1)))


def _lashed(light: np.ndarray) -> np.ndarray:
    """(ROWS, COLUMNS) light of closed lids with lashes that are as dark as lashes are: what an
    untuned generator makes of them is often half transparent."""
    usual = cv2.GaussianBlur(light.astype(np.float32), (0, 0), 12.0)
    lash = _lashes()
    dark = _LASHES_DARKER * np.minimum(light, _LASHES_DARK * usual)
    return np.asarray(light + lash * (dark - light))


@functools.cache
def _lashes() -> np.ndarray:
    """(ROWS, COLUMNS) how far each texel of a shut lid is lashes: a line where lids meet, which
    thins towards the corners, and hairs that hang from it and fan out."""
    fine = 4
    columns, rows = COLUMNS * fine, ROWS * fine
    strokes = np.zeros((rows, columns), np.float32)

    def place(part: float, height: float) -> tuple[int, int]:
        across = (part - PARTS[0]) / (PARTS[1] - PARTS[0])
        return round(across * columns * 16), round((ABOVE - height) / (ABOVE + BELOW) * rows * 16)

    jitter = np.random.default_rng(0).uniform(-1, 1, (_HAIRS, 2))
    for number, (aside, longer) in enumerate(jitter):
        root = 0.02 + 0.94 * (number + 0.5 + 0.4 * aside) / _HAIRS
        length = _HAIR * (1 + 0.3 * longer) * (1.15 - 0.6 * root)
        tip = root + _FANNED * (root - 0.62) * length / _HAIR
        cv2.line(strokes, place(root, 0.01), place(tip, -length), 1.0, fine // 2, cv2.LINE_AA, 4)
    hairs = cv2.resize(strokes, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA)
    parts = _parts()
    thick = _LASHES_HIGH * (0.35 + 0.65 * smooth((parts + 0.05) / 0.3) * smooth((1 - parts) / 0.45))
    line = smooth(1.5 - np.abs(_heights()) / thick) * smooth((parts + 0.03) / 0.1)
    line = line * smooth((0.99 - parts) / 0.1)
    return np.asarray(np.maximum(line, _HAIRY * hairs))


def _diffused(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values (h, w, 3) from where they have a weight (h, w), spread to everywhere."""
    result, total = np.zeros_like(values), np.full((*weight.shape, 1), 1e-6, np.float32)
    for reach, importance in ((6.0, 1.0), (14.0, 0.1), (32.0, 0.01)):
        result += importance * cv2.GaussianBlur(values * weight[..., None], (0, 0), reach)
        total += importance * cv2.GaussianBlur(weight, (0, 0), reach)[..., None]
    return np.asarray(result / total)


def _blurred(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), 4.0)
