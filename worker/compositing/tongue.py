"""A tongue that is put out: drawn, for neither a photo nor the generator has one.

Everything is a function of the face's landmarks, so the tongue keeps to the mouth wherever the mesh
puts it. Its colour is that of the lower lip, its light that of the cheeks beside it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from photorig.worker.faces.face_topology import OUTER_LIPS
from photorig.worker.portraits.mouth import LOWER, UPPER

from .face_mesh import FacePose

_OUT_CM = np.array([0.0, -1.55, 1.3])
"""Of the canonical face: from the lower lip's inner edge to the tip of a tongue that is out."""
_HALF_WIDTH = 0.31
"""Of the mouth's width."""
_UNDER_TEETH = 0.22
"""Of the lips' distance, at most `_TEETH_CM`: how far below the upper lip a tongue begins."""
_TEETH_CM = 0.5
_AT_LIP = 0.3
"""Amount of tongueOut, as for an English th, at which the tip is at the lower lip; with less the
tongue is seen between the lips, the less the fainter."""
_WIDE_CM, _SPENT = 4.0, 0.35
"""A mouth that is open as far as that takes that part of what a tongue is put out by."""
_ROOT_SOFTER = 2.5
"""How many times as softly as its edges it comes out of the mouth's dark."""
_TIP, _WIDEST = 0.95, 0.52
"""Half widths from its end over which a tongue becomes narrower; part of its length where it is
widest."""
_EDGE_CM = 0.07
"""Over which a tongue goes over into what is behind it."""
_SHADOW_CM, _SHADOW = 0.3, 0.42
"""How far below a tongue its shadow falls, and how dark it is."""
_CHEEKS = (205, 425)
_LIP_TO_TONGUE = np.array([1.06, 0.98, 1.0], np.float32)
_OF_SKIN, _PALER = np.array([0.95, 0.64, 0.64], np.float32), 0.5
"""A tongue's colour in the light in which skin has that colour, and how much of it there is beside
the lip's own."""
_LIGHT = np.array([0.0, -0.55, 0.84], np.float32)
_SPECK = 96
"""Pixels along a side of the texture, which lies along and across the tongue."""


@dataclass(frozen=True, eq=False)
class Tongue:
    """A tongue in a square picture.

    Attributes:
        root, tip: (2,) pixels, middle of its upper end and of its lower one.
        along: (2,) pixels, from its middle to its left edge, as the mouth lies.
        lips: (2, 11, 2) pixels, inner edges of the upper and the lower lip.
        centimetre: pixels along one.
        shown: in [0, 1], how far it is there at all.
    """

    root: np.ndarray
    tip: np.ndarray
    along: np.ndarray
    lips: np.ndarray
    centimetre: float
    shown: float

    @staticmethod
    def of(landmarks: np.ndarray, scale: float, size: int, amount: float) -> Tongue | None:
        """Of a face with landmarks (478, 3) in sides of the square of ``size`` pixels, ``scale`` of
        them along a centimetre, that puts its tongue out by an amount in [0, 1]; None where nothing
        is to be seen."""
        lips = landmarks[np.stack([UPPER, LOWER]), :2] * size
        across = lips[0, -1] - lips[0, 0]
        if amount <= 0 or np.linalg.norm(across) < 4:
            return None
        middle = len(UPPER) // 2
        upper, lower = lips[:, middle]
        apart, centimetre = lower - upper, scale * size
        open_by = max(float(np.linalg.norm(apart)), 1e-6)
        out = FacePose.of(landmarks).in_picture(_OUT_CM[None])[0, :2] * size
        out *= max(amount - _AT_LIP, 0.0) / (1 - _AT_LIP)
        out *= 1 - _SPENT * min(open_by / (_WIDE_CM * centimetre), 1.0)
        root = upper + apart * min(_UNDER_TEETH, _TEETH_CM * centimetre / open_by)
        shown = float(_smooth(np.array(amount / _AT_LIP)))
        return Tongue(root, lower + out, _HALF_WIDTH * across, lips, centimetre, shown)

    def painted(self, picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The picture (s, s, 3) uint8, of the landmarks (478, 3) in its sides, with this on it."""
        region = self._region(picture.shape[0])
        if region is None:
            return picture
        below = picture[region].astype(np.float32)
        part, side = self._coordinates(region)
        cover = self._cover(region, part, side)
        shadow = self._shadow(cover)[..., None]
        colours = self._colours(picture, landmarks, part, side)
        below *= 1 - _SHADOW * shadow
        below += cover[..., None] * (colours - below)
        result = picture.copy()
        result[region] = np.rint(np.clip(below, 0, 255)).astype(np.uint8)
        return result

    def covered(self, size: int) -> np.ndarray:
        """(size, size) float32 in [0, 1]: where this hides what the photo shows."""
        result = np.zeros((size, size), np.float32)
        region = self._region(size)
        if region is not None:
            cover = self._cover(region, *self._coordinates(region))
            result[region] = np.maximum(cover, self._shadow(cover))
        return result

    def _region(self, size: int) -> tuple[slice, slice] | None:
        ends = np.stack(
            [end + sign * self.along for end in (self.root, self.tip) for sign in (-1, 1)]
        )
        margin = (_SHADOW_CM * 2 + _EDGE_CM) * self.centimetre + 2
        low = np.clip(np.floor(ends.min(0) - margin), 0, size).astype(int)
        high = np.clip(np.ceil(ends.max(0) + margin), 0, size).astype(int)
        if (high <= low).any():
            return None
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    def _coordinates(self, region: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """(h, w) float32 each: part of the way from root to tip, and from the middle (0) to the
        edges (−1, 1) of a tongue that was no narrower at its tip."""
        rows, columns = region
        x, y = np.meshgrid(
            np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5,
            np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5,
        )
        down = self.tip - self.root
        inverse = np.linalg.inv(np.stack([down, self.along], 1))
        x, y = x - np.float32(self.root[0]), y - np.float32(self.root[1])
        part, side = (np.float32(row[0]) * x + np.float32(row[1]) * y for row in inverse)
        return part, side

    def _half_width(self, part: np.ndarray) -> np.ndarray:
        """(h, w) float32 of the tongue at parts of its length: 1 where it is widest, 0 from its tip
        on, which is round however short the tongue is."""
        length = max(float(np.linalg.norm(self.tip - self.root)), 1e-6)
        tip = max(1 - _TIP * float(np.linalg.norm(self.along)) / length, 0.0)
        narrower = np.clip((part - tip) / (1 - tip), 0, 1)
        body = 0.9 + 0.1 * _smooth(part / _WIDEST)
        return np.asarray(body * np.sqrt(1 - narrower**2.4), np.float32)

    def _cover(self, region: tuple[slice, slice], part: np.ndarray, side: np.ndarray) -> np.ndarray:
        """(h, w) float32 in [0, 1]: where the tongue is seen."""
        across, length = np.linalg.norm(self.along), np.linalg.norm(self.tip - self.root)
        edge = _EDGE_CM * self.centimetre
        inside = (self._half_width(part) - np.abs(side)) * np.float32(across)
        # Its upper end is round as well: it comes out of the throat's dark.
        root, tip = part - 0.10 * side**2, 1 - part
        inside = np.minimum(inside, np.minimum(root / _ROOT_SOFTER, tip) * np.float32(length))
        cover = _smooth(inside / edge + 0.5)
        return cover * self._before_lips(region) * np.float32(self.shown)

    def _before_lips(self, region: tuple[slice, slice]) -> np.ndarray:
        """(h, w) float32: 0 where the upper lip hides a tongue, and beside the mouth, else 1."""
        rows, columns = region
        corner = np.array([columns.start, rows.start])
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        # Between the lips, and from the lower one on downwards.
        beyond = self.lips[1] + 4 * (self.tip - self.root)
        outline = np.concatenate([self.lips[0], beyond[::-1]]) - corner
        fine = np.zeros(shape, np.uint8)
        cv2.fillPoly(fine, [np.round(outline * 16 - 8).astype(np.int32)], 1, cv2.LINE_8, 4)
        depth = cv2.distanceTransform(fine, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return _smooth(depth / (_EDGE_CM * self.centimetre))

    def _shadow(self, cover: np.ndarray) -> np.ndarray:
        """(h, w) float32 in [0, 1]: how dark it is beside and below the tongue."""
        reach = _SHADOW_CM * self.centimetre
        fallen = np.roll(cover, max(round(reach * 0.6), 1), axis=0)
        return np.clip(cv2.GaussianBlur(fallen, (0, 0), max(reach / 2, 0.5)), 0, 1)

    def _colours(
        self, picture: np.ndarray, landmarks: np.ndarray, part: np.ndarray, side: np.ndarray
    ) -> np.ndarray:
        """(h, w, 3) float32 levels of the tongue's surface."""
        size = picture.shape[0]
        lip = _mean_at(picture, (landmarks[LOWER, :2] + landmarks[_LOWER_OUTER, :2]) * (size / 2))
        cheeks = [_mean_at(picture, landmarks[[vertex], :2] * size) for vertex in _CHEEKS]
        skin = np.mean(cheeks, 0)
        base = (1 - _PALER) * lip * _LIP_TO_TONGUE + _PALER * skin * _OF_SKIN
        # One cheek in the shade: so is that side of the tongue, half as much.
        levels = [max(float(cheek.mean()), 1.0) for cheek in cheeks]
        lean = (levels[1] - levels[0]) / sum(levels)
        round_ = np.clip(side / np.maximum(self._half_width(part), 0.05), -1, 1)
        groove = np.exp(-((side / 0.13) ** 2)) * np.clip(1.15 - part, 0, 1)
        normal_x = 0.62 * round_**3 - 0.55 * (side / 0.13) * groove * 0.4
        # Over the lower lip it bends, so that its tip faces down.
        normal_y = -0.45 + 1.15 * _smooth((part - 0.25) / 0.75)
        normal_z = np.sqrt(np.clip(1.2 - normal_x**2 - 0.4 * normal_y**2, 0.05, None))
        length = np.sqrt(normal_x**2 + normal_y**2 + normal_z**2)
        towards = (_LIGHT[1] * normal_y + _LIGHT[2] * normal_z) / length
        texture = _texture(part, side)
        light = 0.50 + 0.62 * np.clip(towards, 0, 1) + 0.025 * texture[..., 0] - 0.14 * groove
        light *= 1 + lean * np.clip(side, -1, 1)
        deep = _smooth((part + 0.02) / 0.30)  # the mouth's own dark
        light *= 0.35 + 0.65 * deep
        # Wet: broken glints where the surface mirrors what is above.
        glint = np.clip(towards, 0, 1) ** 18 * (0.6 + 0.25 * np.clip(texture[..., 1], -2, 2)) * deep
        bright = np.float32(0.16 * min(skin.mean() * 1.5, 235.0))
        return np.asarray(base * light[..., None] + bright * glint[..., None], np.float32)


_LOWER_OUTER = np.array([OUTER_LIPS[0], *OUTER_LIPS[: len(OUTER_LIPS) // 2 - 1 : -1]])
"""Vertex numbers (11,) of the lower lip's outer edge, from the right corner to the left one."""


@functools.cache
def _grain() -> np.ndarray:
    """(_SPECK, _SPECK, 2) float32 of mean 0: fine buds, and coarse patches that are wet."""
    noise = np.random.default_rng(7).standard_normal((2, _SPECK, _SPECK)).astype(np.float32)
    layers = [
        cv2.GaussianBlur(one, (0, 0), blur) for one, blur in zip(noise, (0.9, 3.0), strict=True)
    ]
    return np.stack([one / one.std() for one in layers], -1)


def _texture(part: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(h, w, 2) float32 of what lies on the tongue at a place."""
    x = ((side + 1.2) / 2.4 * (_SPECK - 1)).astype(np.float32)
    y = ((part + 0.1) / 1.2 * (_SPECK - 1)).astype(np.float32)
    return np.asarray(cv2.remap(_grain(), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def _mean_at(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(3,) float32 mean colour around places (n, 2) of a square picture, in pixels."""
    size = picture.shape[0]
    reach = max(size // 100, 1)
    found = []
    for x, y in np.clip(places, reach, size - 1 - reach).astype(int).tolist():
        found.append(picture[y - reach : y + reach + 1, x - reach : x + reach + 1].reshape(-1, 3))
    return np.asarray(np.concatenate(found).mean(0), np.float32)


def _smooth(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between; float32."""
    t = np.clip(value, 0, 1).astype(np.float32)
    return np.asarray(t * t * (3 - 2 * t))
