"""The inside of a mouth: drawn once, wide open, and seen where lips part further than in the photo.

A generator tuned to a photo has forgotten what lies behind its lips. Before the tuning it knew: one
picture of it is kept with the portrait, with the teeth that the photo itself shows. Where the
driven mouth opens, that picture is seen between the lips: the upper teeth hang from the upper lip,
the lower ones stand on the lower lip, however far the two are apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from photorig.worker import rasters
from photorig.worker.faces.face_topology import INNER_LIPS
from photorig.worker.rasters import Raster

ARRAYS = ("picture", "lips", "scale")
"""Names of the arrays of a mouth, as files keep them."""

MOST_PIXELS = 512
"""Along a side of the kept picture."""

_HALF = len(INNER_LIPS) // 2
UPPER = np.array(INNER_LIPS[: _HALF + 1])
"""Vertex numbers (11,) of the upper lip's inner edge, from the right corner to the left one."""
LOWER = np.array([INNER_LIPS[0], *INNER_LIPS[: _HALF - 1 : -1]])
"""The same of the lower lip."""

_FEATHER = 0.0035
"""Sides of the aligned square over which lips go over into what is behind them."""
_PARTED_CM = 0.3
"""By how much lips are further apart, or closer, than in the photo when only this is seen."""
_OWN_TEETH, _OWN_FADE = 0.7, 0.3
"""Part of the photo's own opening that its own teeth are seen in, and over which they end."""
_UPPER = 0.5
"""Part of the opening of this mouth from which they end, too."""
_BAND = 0.25
"""Part of the upper teeth's height over which they and what stands on the lower lip are mixed."""
_DEEP_CM, _DEEP = 1.3, 0.5
"""Beyond what was drawn, after which nothing but the throat is seen, and its light as a part of
that of the darkest pixels that were drawn."""
_EVEN_CM = 0.12
"""The same, after which what lies between the teeth is even along the mouth."""
_BETWEEN = (0.25, 0.8)
"""Parts of the opening between which upper teeth end."""
_DARK = 0.6
"""Light, as a part of that of the brightest teeth, below which no teeth are seen."""
_COLUMNS, _ROWS = 64, 48
"""Of the mouth rolled out, in which upper teeth are told from lower ones."""
_ALONG = 0.05
"""Parts of the mouth's width over which the edge of the upper teeth is smooth."""
_FINER = 4


@dataclass(frozen=True, eq=False)
class MouthInterior:
    """An open mouth.

    Attributes:
        picture: (h, w, 3) uint8 sRGB.
        lips: (2, 11, 2) float32 pixels of the picture, inner edges of upper and lower lip, from the
            right corner to the left one.
        scale: (1,) float32, pixels of the picture along a centimetre.
    """

    picture: np.ndarray
    lips: np.ndarray
    scale: np.ndarray

    def check(self) -> None:
        """Raise ValueError unless the arrays can be used."""
        shape = self.picture.shape
        if len(shape) != 3 or shape[2] != 3 or not 2 <= min(shape[:2]) <= max(shape) <= MOST_PIXELS:
            raise ValueError("a mouth of a wrong shape")
        if self.picture.dtype != np.uint8 or self.lips.shape != (2, len(UPPER), 2):
            raise ValueError("a mouth of a wrong form")
        if self.scale.shape != (1,) or not np.isfinite(self.lips).all():
            raise ValueError("a mouth that is not finite")
        if not 0 < float(self.scale[0]) < np.inf or _width(self.lips) < 1:
            raise ValueError("a mouth without a size")

    def with_teeth(self, own: MouthInterior) -> MouthInterior:
        """This mouth with the upper teeth of another, less open one, where that shows them."""
        height, width = self.picture.shape[:2]
        here, there = _Frame.of(self.lips.astype(float)), _Frame.of(own.lips.astype(float))
        x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        along, down = here.inwards(x, y)
        part = np.clip(along / here.width, 0, 1)
        below = (down - here.edge(0, part)) * float(own.scale[0] / self.scale[0])
        opening = np.maximum(there.edge(1, part) - there.edge(0, part), 0)
        teeth = _sampled(own.picture, there, part, there.edge(0, part) + np.maximum(below, 0))
        seen = 1 - _smooth((below / np.maximum(opening, 1e-3) - _OWN_TEETH) / _OWN_FADE)
        # Towards the corners they would fill all of this mouth, and be taken for lower ones.
        whole = np.maximum(here.edge(1, part) - here.edge(0, part), 1e-3)
        seen *= 1 - _smooth(((down - here.edge(0, part)) / whole - _UPPER) / (1 - _UPPER))
        seen = (seen * _smooth(opening / (0.1 * float(own.scale[0]))))[..., None]
        mixed = self.picture + seen * (teeth - self.picture)
        return replace(self, picture=np.rint(np.clip(mixed, 0, 255)).astype(np.uint8))

    def painted(
        self, picture: Raster, landmarks: np.ndarray, scale: float, parted: float
    ) -> Raster:
        """A square picture (s, s, 3) uint8 of a face with this seen between its lips.

        Args:
            landmarks: (478, 3) of the picture, in sides of the square.
            scale: sides of the square along a centimetre.
            parted: cm by which the lips' distance differs from the photo's, where most.
        """
        size = picture.shape[0]
        lips = landmarks[np.stack([UPPER, LOWER]), :2] * size
        if _width(lips) < 1 or parted <= 0:
            return picture
        reach = int(np.ceil(4 * _FEATHER * size)) + 2
        flat = lips.reshape(-1, 2)
        low = np.clip(np.floor(flat.min(0)) - reach, 0, size).astype(int)
        high = np.clip(np.ceil(flat.max(0)) + reach, 0, size).astype(int)
        if (high <= low).any():
            return picture
        region = (slice(low[1], high[1]), slice(low[0], high[0]))
        inside = self._colours(lips - low, tuple(high - low), float(self.scale[0]) / (scale * size))
        shown = _shown(lips - low, tuple(high - low), size)[..., None]
        shown = shown * _smooth(np.array(parted / _PARTED_CM))
        result = rasters.copied(picture)
        inside, shown = (rasters.like(each, picture) for each in (inside, shown))
        result[region] = rasters.levels(picture[region] + shown * (inside - picture[region]))
        return result

    def _colours(self, lips: np.ndarray, shape: tuple[int, int], pixels: float) -> np.ndarray:
        """(h, w, 3) float32 of what is behind the lips.

        Args:
            lips: (2, 11, 2) pixels; shape: w, h; pixels: of the kept picture along one.
        """
        frame, own = _Frame.of(lips), _Frame.of(self.lips.astype(np.float64))
        x, y = np.meshgrid(np.arange(shape[0]) + 0.5, np.arange(shape[1]) + 0.5)
        along, down = frame.inwards(x, y)
        part = np.clip(along / frame.width, 0, 1)
        below_upper = (down - frame.edge(0, part)) * pixels
        above_lower = (frame.edge(1, part) - down) * pixels
        # Teeth of a mouth that gets narrower do not: lips cover them.
        part = 0.5 + (part - 0.5) * min(frame.width * pixels / own.width, 1.0)
        upper, lower = own.edge(0, part), own.edge(1, part)
        opening = np.maximum(lower - upper, 0)
        teeth = opening * np.interp(part, _PARTS, self._parted[0])
        hanging = upper + np.clip(below_upper, 0, teeth)
        standing = lower - np.clip(above_lower, 0, opening - teeth)
        share = _smooth((below_upper - teeth) / (_BAND * np.maximum(teeth, 1e-3)))
        mouth = [_sampled(self.picture, own, part, place) for place in (hanging, standing)]
        colours = mouth[0] + share[..., None] * (mouth[1] - mouth[0])
        # Opened further than it was drawn, what is between both is dark, and has no streaks.
        beyond = np.minimum(below_upper - teeth, above_lower - (opening - teeth))
        beyond = beyond / float(self.scale[0])
        if beyond.max() <= 0:
            return np.asarray(colours)
        between = np.stack([np.interp(part, _PARTS, c) for c in self._parted[1].T], -1)
        between += _smooth(beyond / _DEEP_CM)[..., None] * (_DEEP * self._cavity - between)
        return np.asarray(colours + _smooth(beyond / _EVEN_CM)[..., None] * (between - colours))

    @property
    def brightest(self) -> np.ndarray:
        """(3,) float32, the colour of the brightest of what is between the lips: teeth, if any."""
        pixels = self._between_lips
        lightest = np.argsort(pixels.sum(1))[-max(len(pixels) // 8, 1) :]
        return np.asarray(pixels[lightest].mean(0)) if len(pixels) else np.zeros(3, np.float32)

    @cached_property
    def _parted(self) -> tuple[np.ndarray, np.ndarray]:
        """Along the mouth at `_PARTS`: (n,) the part of the opening at which upper teeth have
        ended, and (n, 3) float32 what is seen there."""
        own = _Frame.of(self.lips.astype(np.float64))
        depth = ((np.arange(_ROWS) + 0.5) / _ROWS)[:, None]
        part = np.broadcast_to(_PARTS, (_ROWS, _COLUMNS))
        opening = np.maximum(own.edge(1, part) - own.edge(0, part), 0)
        seen = _sampled(self.picture, own, part, own.edge(0, part) + depth * opening)
        light = cv2.GaussianBlur(seen.mean(2), (0, 0), sigmaX=0.02 * _COLUMNS, sigmaY=1.0)
        dark = np.clip(1 - light / (_DARK * max(float(np.percentile(light, 95)), 1.0)), 0, 1)
        # Darkest where cavities are; where none is seen, in the middle.
        weight = (dark**2 + 1e-3) * ((depth > _BETWEEN[0]) & (depth < _BETWEEN[1]))
        weight = weight * np.sqrt(opening / max(float(opening.max()), 1e-6))
        ended = _along((weight * depth).sum(0)) / np.maximum(_along(weight.sum(0)), 1e-9)
        row = np.clip(np.rint(ended * _ROWS - 0.5).astype(int), 0, _ROWS - 1)
        colours = seen[row, np.arange(_COLUMNS)]
        return ended, _along(colours)

    @cached_property
    def _cavity(self) -> np.ndarray:
        """(3,) float32, the colour of what is behind the teeth."""
        pixels = self._between_lips
        darkest = np.argsort(pixels.sum(1))[: max(len(pixels) // 8, 1)]
        return np.asarray(pixels[darkest].mean(0)) if len(pixels) else np.zeros(3, np.float32)

    @property
    def _between_lips(self) -> np.ndarray:
        """(n, 3) float32 colours of the pixels between the lips."""
        inside = np.zeros(self.picture.shape[:2], np.uint8)
        outline = np.concatenate([self.lips[0], self.lips[1, -2:0:-1]])
        cv2.fillPoly(inside, [np.round(outline).astype(np.int32)], 1)
        return self.picture[inside > 0].reshape(-1, 3).astype(np.float32)


_PARTS = (np.arange(_COLUMNS) + 0.5) / _COLUMNS
"""Parts of the width at the columns of a mouth rolled out."""


@dataclass(frozen=True, eq=False)
class _Frame:
    """A mouth's own axes: along from corner to corner, and down.

    Attributes:
        corner: (2,) pixels; along, down: (2,) of length 1; width: from corner to corner.
        edges: two pairs of how far along (0 to 1, rising) and how far down the lips' points are.
    """

    corner: np.ndarray
    along: np.ndarray
    down: np.ndarray
    width: float
    edges: tuple[tuple[np.ndarray, np.ndarray], ...]

    @staticmethod
    def of(lips: np.ndarray) -> _Frame:
        corner, width = lips[0, 0], _width(lips)
        along = (lips[0, -1] - corner) / width
        down = np.array([-along[1], along[0]])
        edges = []
        for points in lips - corner:
            rising = np.maximum.accumulate(points @ along / width)
            edges.append((rising + 1e-6 * np.arange(len(rising)), points @ down))
        return _Frame(corner, along, down, width, tuple(edges))

    def inwards(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels to how far along and how far down they are, in pixels."""
        x, y = x - self.corner[0], y - self.corner[1]
        return x * self.along[0] + y * self.along[1], x * self.down[0] + y * self.down[1]

    def outwards(self, along: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The opposite, as OpenCV counts pixels."""
        x = self.corner[0] + along * self.along[0] + down * self.down[0] - 0.5
        y = self.corner[1] + along * self.along[1] + down * self.down[1] - 0.5
        return x, y

    def edge(self, lip: int, part: np.ndarray) -> np.ndarray:
        """How far down the edge of a lip is at a part of the width."""
        return np.interp(part, *self.edges[lip])


def _sampled(picture: np.ndarray, frame: _Frame, part: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32 of a picture at parts (h, w) of a mouth's width, so far down in pixels."""
    x, y = frame.outwards(part * frame.width, down)
    x, y = x.astype(np.float32), y.astype(np.float32)
    border = cv2.BORDER_REPLICATE
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=border).astype(np.float32)


def _along(values: np.ndarray) -> np.ndarray:
    """Values (n, …) at `_PARTS`, smooth along the mouth."""
    reach = _ALONG * _COLUMNS
    row = values.astype(np.float32)[None]
    return np.asarray(cv2.GaussianBlur(row, (0, 0), reach, sigmaY=0.01)[0]).reshape(values.shape)


def lips_apart(landmarks: np.ndarray, scale: float) -> np.ndarray:
    """(11,) cm between the inner edges of the lips, from the right corner to the left one."""
    apart = landmarks[LOWER, :2] - landmarks[UPPER, :2]
    return np.asarray(np.linalg.norm(apart, axis=1) / scale)


def _width(lips: np.ndarray) -> float:
    return float(np.linalg.norm(lips[0, -1] - lips[0, 0]))


def _shown(lips: np.ndarray, shape: tuple[int, int], size: int) -> np.ndarray:
    """(h, w) float32: 1 between the lips, falling to 0 at their edges."""
    width, height = shape
    fine = np.zeros((height * _FINER, width * _FINER), np.uint8)
    outline = np.concatenate([lips[0], lips[1, -2:0:-1]])
    corners = np.round((outline * _FINER - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(fine, [corners], 1, cv2.LINE_8, 4)
    depth = cv2.distanceTransform(fine, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    shown = _smooth(depth / (2 * _FEATHER * size * _FINER))
    return cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA)


def _smooth(value: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth between; float32."""
    t = np.clip(value, 0, 1).astype(np.float32)
    return np.asarray(t * t * (3 - 2 * t))


def mouth_of(picture: np.ndarray, landmarks: np.ndarray, scale: float) -> MouthInterior:
    """The mouth of a square picture (s, s, 3) uint8 of a face.

    Args:
        landmarks: (478, 3) in sides of the square.
        scale: sides of the square along a centimetre.
    """
    size = picture.shape[0]
    lips = landmarks[np.stack([UPPER, LOWER]), :2] * size
    flat = lips.reshape(-1, 2)
    margin = 0.3 * _width(lips)
    low = np.clip(np.floor(flat.min(0) - margin), 0, size - 2).astype(int)
    high = np.clip(np.ceil(flat.max(0) + margin), low + 2, size).astype(int)
    kept = picture[low[1] : high[1], low[0] : high[0]].copy()
    pixels = np.array([scale * size], np.float32)
    return MouthInterior(kept, (lips - low).astype(np.float32), pixels)
