"""Takes the eyes of a photo apart: sclera, shadow of the lids, iris and what it mirrors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from photorig.worker.portraits.eye_frame import PARTS, Eye, EyeFrame, smooth
from photorig.worker.portraits.eyeball import COLUMNS, DISC, REACH, ROWS, SHADE, Eyeballs

_LEAST_GAP = 0.1
"""Widths of the eye that lids are apart, at least."""
_RADII = (0.14, 0.27)
"""Widths of the eye that an iris may have as radius."""
_AWAY, _STEP = 0.3, 0.05
"""Radii from the landmark within which an iris is searched, and how finely."""
_SIZES = np.linspace(0.82, 1.18, 10)
"""Of the landmarks' radius."""
_RIM = 0.13
"""Radii within and beyond the rim at which it is compared."""
_GREATEST_STEP = 70.0
"""Levels; what is brighter by more is mirrored."""
_LEAST_STEP = 4.0
"""Levels by which an iris is darker than what is around it."""
_LEAST_RIM = 0.08
"""Part of the rim that is seen."""
_TRUSTED = (0.025, 0.085)
"""Widths of the eye from a lid within which an iris is not believed to be seen."""
_AROUND = (1.15, 1.38)
"""Radii from which the sclera is seen."""
_GLINT = (10.0, 30.0)
"""Levels above the iris around at which light begins to be mirrored, and is nothing else."""
_PUPIL = 0.45
"""Radii within which an iris does not get brighter inwards."""
_USUAL = 38
"""Percentile of an iris that is usual: glints make it brighter."""
_GLINTS_WITHIN = (0.75, 0.9)
"""Radii up to which glints are looked for."""
_SHADES = (0.4, 1.0)
_UNLIKE = 40.0
"""Levels by which an iris differs from what is usual at a distance from its middle."""
_ANGLES = 48
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class _Disc:
    """An iris: middle x, y and radius, pixels."""

    x: float
    y: float
    radius: float


def eyeballs_of(
    photo: np.ndarray, offset: np.ndarray, rest: np.ndarray, eyes: tuple[Eye, ...], scale: float
) -> Eyeballs | None:
    """The eyes of a photo in the generator's colours; None where neither can be taken apart.

    Args:
        photo: (s, s, 3) uint8, aligned.
        offset: (m, m, 3) float32, by how much its colours differ from the generator's.
        rest: (478, 3) landmarks in sides of the square.
        scale: sides of the square along a centimetre.
    """
    size = photo.shape[0]
    sclera = np.zeros((2, ROWS, COLUMNS, 3), np.uint8)
    shade = np.zeros((2, ROWS), np.uint8)
    iris, glint = np.zeros((2, 2, DISC, DISC, 3), np.uint8)
    disc = np.zeros((2, 3), np.float32)
    for number, eye in enumerate(eyes):
        frame = EyeFrame.of(rest * size, eye)
        found = None if frame is None else _found_iris(photo, frame, rest * size, eye)
        if frame is None or found is None:
            continue
        white, dark = _sclera(photo, frame, found)
        if white is None:
            continue
        x, y = frame.outwards(np.array(0.5), np.array(0.0))
        cell = size / offset.shape[0]
        own = offset[int(np.clip(y / cell, 0, len(offset) - 1))]
        own = own[int(np.clip(x / cell, 0, len(offset) - 1))]
        round_, mirrored = _iris(photo, frame, found, dark)
        sclera[number] = np.rint(np.clip(white - own, 0, 255))
        shade[number] = np.rint(np.clip(dark * SHADE, 0, 255))
        iris[number] = np.rint(np.clip(round_ - own, 0, 255))
        glint[number] = np.rint(np.clip(mirrored, 0, 255))
        away = np.array([found.x, found.y]) - rest[eye.iris.start, :2] * size
        centimetre = scale * size
        disc[number] = np.array([away @ frame.along, away @ frame.down, found.radius]) / centimetre
    return Eyeballs(sclera, shade, iris, glint, disc) if disc[:, 2].any() else None


def _found_iris(photo: np.ndarray, frame: EyeFrame, rest: np.ndarray, eye: Eye) -> _Disc | None:
    """Daugman's operator (1993) around the iris landmarks: the circle across which it gets brighter
    most; None where there is none."""
    middle, ring = rest[eye.iris.start, :2], rest[eye.iris, :2][1:]
    guess = float(np.linalg.norm(ring - middle, axis=1).mean())
    wide = frame.gap(PARTS).mean() / frame.width
    if wide < _LEAST_GAP or not _RADII[0] < guess / frame.width < _RADII[1]:
        return None
    grey = cv2.GaussianBlur(photo.astype(np.float32) @ _LUMA, (0, 0), 0.06 * guess)
    angles = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    direction = np.stack([np.cos(angles), np.sin(angles)], 1)
    steps = np.arange(-_AWAY, _AWAY + 1e-6, _STEP)
    dx, dy, sizes = (axis.ravel() for axis in np.meshgrid(steps, steps, _SIZES, indexing="ij"))
    centre = middle + guess * np.stack([dx, dy], 1)
    rim = []
    for beyond in (-_RIM, _RIM):
        away = (sizes + beyond)[:, None, None] * guess * direction
        places = centre[:, None] + away
        rim.append((_at(grey, places), _openness(frame, places)))
    (inside, within), (outside, beyond_) = rim
    seen = np.minimum(within, beyond_)
    step = np.clip(outside - inside, -_GREATEST_STEP, _GREATEST_STEP)
    enough = seen.mean(1)
    score = (step * seen).sum(1) / np.maximum(seen.sum(1), 1e-3)
    score *= 1 - 0.5 * (dx**2 + dy**2) / _AWAY**2 - 0.3 * ((sizes - 1) / 0.18) ** 2
    score[enough < 0.6 * max(float(enough.max()), 1e-3)] = -np.inf
    best = int(np.argmax(score))
    if score[best] < _LEAST_STEP or enough[best] < _LEAST_RIM:
        return None
    return _Disc(float(centre[best, 0]), float(centre[best, 1]), float(sizes[best] * guess))


def _at(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    x, y = (np.ascontiguousarray(places[..., axis] - 0.5, np.float32) for axis in (0, 1))
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _openness(frame: EyeFrame, places: np.ndarray) -> np.ndarray:
    """How far places (…, 2) are well between the lids, in [0, 1]."""
    part, down = frame.inwards(places[..., 0], places[..., 1])
    from_lids = np.minimum(down - frame.edge(0, part), frame.edge(1, part) - down) / frame.width
    between = (part > 0.04) & (part < 0.96)
    return smooth((from_lids - _TRUSTED[0]) / (_TRUSTED[1] - _TRUSTED[0])) * between


def _gap_places(frame: EyeFrame) -> np.ndarray:
    """(ROWS, COLUMNS, 2) pixels of the gap's texels."""
    part = (np.arange(COLUMNS) + 0.5) / COLUMNS
    depth = ((np.arange(ROWS) + 0.5) / ROWS)[:, None]
    down = frame.edge(0, part) + depth * frame.gap(part)
    return np.stack(frame.outwards(np.broadcast_to(part, down.shape), down), -1)


def _sclera(
    photo: np.ndarray, frame: EyeFrame, disc: _Disc
) -> tuple[np.ndarray | None, np.ndarray]:
    """(ROWS, COLUMNS, 3) the eye without its iris, None where too little of that is seen, and
    (ROWS,) how far lids shade it."""
    places = _gap_places(frame)
    seen = _at(photo, places).astype(np.float32)
    away = np.hypot(places[..., 0] - disc.x, places[..., 1] - disc.y) / disc.radius
    own = smooth((away - _AROUND[0]) / (_AROUND[1] - _AROUND[0]))
    part = (np.arange(COLUMNS) + 0.5) / COLUMNS
    ends = smooth((part - 0.06) / 0.08) * smooth((0.9 - part) / 0.1)
    wide = smooth((frame.gap(part) / frame.width - 0.03) / 0.05)
    weight = (own * ends * wide).astype(np.float32)
    if weight.mean() < 0.03:
        return None, weight[:, 0]
    filled, total = np.zeros_like(seen), np.zeros((ROWS, COLUMNS, 1), np.float32)
    for along, importance in ((5.0, 1.0), (14.0, 0.05), (40.0, 0.003)):
        across = 1.2 + 0.05 * along
        filled += importance * _spread(seen * weight[..., None], along, across)
        total += importance * _spread(weight, along, across)[..., None]
    filled = _spread(filled / (total + 1e-6), 6.0, 1.0)
    white = filled + own[..., None] * (seen - filled)
    return white, _shade(seen @ _LUMA, weight)


def _shade(light: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(ROWS,) light that reaches the eye under its upper lid, a part of what reaches it below."""
    rows = (light * weight).sum(1) / np.maximum(weight.sum(1), 1e-3)
    seen = weight.sum(1)
    usual = (rows * seen)[ROWS // 2 :].sum() / max(float(seen[ROWS // 2 :].sum()), 1e-3)
    profile = cv2.GaussianBlur(rows.astype(np.float32)[None], (0, 0), 1.5)[0]
    profile = np.clip(profile / max(float(usual), 1.0), *_SHADES)
    return np.asarray(np.where(np.arange(ROWS) < ROWS // 2, np.minimum(profile, 1), 1))


def _spread(values: np.ndarray, along: float, across: float) -> np.ndarray:
    return cv2.GaussianBlur(
        values, (0, 0), sigmaX=along, sigmaY=across, borderType=cv2.BORDER_REPLICATE
    )


def _iris(
    photo: np.ndarray, frame: EyeFrame, disc: _Disc, shade: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(DISC, DISC, 3) the whole iris without shade, and what it mirrors."""
    steps = ((np.arange(DISC) + 0.5) / DISC * 2 - 1) * REACH
    along, down = np.meshgrid(steps, steps)
    x = disc.x + disc.radius * (along * frame.along[0] + down * frame.down[0])
    y = disc.y + disc.radius * (along * frame.along[1] + down * frame.down[1])
    places = np.stack([x, y], -1)
    part, below = frame.inwards(x, y)
    depth = (below - frame.edge(0, part)) / np.maximum(frame.gap(part), 1e-3)
    light = np.sqrt(np.interp(depth * ROWS - 0.5, np.arange(ROWS), shade))[..., None]
    seen = _at(photo, places).astype(np.float32) / light
    away = np.hypot(along, down)
    visible = (_openness(frame, places) * smooth((1.0 - away) / 0.08)).astype(np.float32)
    round_ = _by_radius(seen, visible, away)
    brighter = (seen - round_) @ _LUMA
    within = smooth((_GLINTS_WITHIN[1] - away) / (_GLINTS_WITHIN[1] - _GLINTS_WITHIN[0]))
    mirrors = smooth((brighter - _GLINT[0]) / (_GLINT[1] - _GLINT[0])) * within
    mirrors = cv2.dilate(mirrors, np.ones((3, 3), np.uint8))
    mirrors = cv2.GaussianBlur(mirrors, (0, 0), 1.2)[..., None]
    mirrored = np.maximum(seen - round_, 0) * mirrors * visible[..., None]
    unlike = np.clip(seen - round_, -_UNLIKE, _UNLIKE) * (1 - mirrors)
    other, there = unlike[::-1], visible[::-1, :, None]
    own = visible[..., None]
    whole = round_ + own * unlike + (1 - own) * there * other
    rim = smooth((away - 0.9) / 0.08)[..., None]
    return whole + rim * (round_ - whole), mirrored


def _by_radius(seen: np.ndarray, visible: np.ndarray, away: np.ndarray) -> np.ndarray:
    """(DISC, DISC, 3) what is usual at each distance from the middle."""
    edges = np.linspace(0, 0.98, 15)
    knots, values = [], []
    for low, high in pairwise(edges):
        ring = (away >= low) & (away < high) & (visible > 0.5)
        if ring.sum() >= 4:
            knots.append((low + high) / 2)
            values.append(np.percentile(seen[ring], _USUAL, axis=0))
    if not knots:
        return np.broadcast_to(np.median(seen[away < 0.9], axis=0), seen.shape).astype(np.float32)
    for inner in reversed(range(len(knots) - 1)):
        if knots[inner] < _PUPIL and values[inner] @ _LUMA > values[inner + 1] @ _LUMA:
            values[inner] = values[inner + 1]  # light fills it: pupils are dark
    profile = np.array(values)
    if len(profile) >= 3:
        padded = np.concatenate([profile[:1], profile, profile[-1:]])
        profile = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return np.stack([np.interp(away, knots, axis) for axis in profile.T], -1).astype(np.float32)
