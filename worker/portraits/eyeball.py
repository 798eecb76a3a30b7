"""Eyes taken apart into what lids cover and what turns behind them, so that irises move as discs.

The sclera belongs to the gap between the lids, with the shadow that lies along them; the iris is a
disc that turns behind it, whole even where a lid covers it in the photo; what it mirrors follows
half way. Where nothing has moved, the picture is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .eye_frame import PARTS, EyeLayer, MovedEye, grid, sampled, smooth

ARRAYS = ("sclera", "shade", "iris", "glint", "disc")
"""Names of the arrays of eyeballs, as files keep them."""

COLUMNS, ROWS = 96, 40
"""Of the gap between the lids: along, and from the upper to the lower one."""
DISC = 80
REACH = 1.3
"""Radii of the iris up to which its picture goes."""
SHADE = 160.0
"""What of a byte is no shade at all."""

_LIMBUS = (0.93, 1.09)
"""Radii between which the iris goes over into the sclera."""
_BALL = 2.05
"""Radius of an eyeball in radii of its iris."""
_MIRRORED = 0.5
"""How far what an iris mirrors follows it."""
_FEATHER = 0.002
"""Sides of the square over which lids go over into the eye."""
_SHIFTED, _CLOSED = 0.12, 0.15
"""Radii that an iris moves, and how far lids close, before the eye is nothing but its parts."""
_DARKENS, _DARK = (0.35, 0.9), 0.45
"""How far lids have closed where lashes begin to shade all of the eye, and no more light is lost;
part of it that is."""
_FINER = 4


@dataclass(frozen=True, eq=False)
class Eyeballs:
    """Right and left eye.

    Attributes:
        sclera: (2, ROWS, COLUMNS, 3) uint8, as if there were no iris; from lid to lid and from the
            outer to the inner corner.
        shade: (2, ROWS) uint8, how lids shade the eye there, SHADE where they do not.
        iris: (2, DISC, DISC, 3) uint8, unshaded, up to REACH radii along and down.
        glint: (2, DISC, DISC, 3) uint8, what it mirrors, to be added.
        disc: (2, 3) float32 cm: from the iris landmark to the disc's middle, along and down, and
            its radius, which is 0 where an eye could not be taken apart.
    """

    sclera: np.ndarray
    shade: np.ndarray
    iris: np.ndarray
    glint: np.ndarray
    disc: np.ndarray

    @property
    def known(self) -> tuple[bool, bool]:
        """Which eyes were taken apart."""
        right, left = self.disc[:, 2] > 0
        return bool(right), bool(left)

    def check(self) -> None:
        """Raise ValueError unless the arrays can be used."""
        shapes = [getattr(self, name).shape for name in ARRAYS]
        gap, square = (2, ROWS, COLUMNS), (2, DISC, DISC, 3)
        if shapes != [(*gap, 3), gap[:2], square, square, (2, 3)]:
            raise ValueError("eyeballs of a wrong shape")
        if any(getattr(self, name).dtype != np.uint8 for name in ARRAYS[:-1]):
            raise ValueError("eyeballs of a wrong form")
        if not np.isfinite(self.disc).all() or (np.abs(self.disc) > 1e3).any():
            raise ValueError("eyeballs that are not finite")
        if (self.disc[:, 2] < 0).any():
            raise ValueError("eyeballs without a size")

    def layers(self, eyes: Sequence[MovedEye | None]) -> list[EyeLayer]:
        """These eyes between the lids of those of right and left eye that have moved."""
        layers = [self._layer(number, eye) for number, eye in enumerate(eyes) if eye is not None]
        return [layer for layer in layers if layer is not None]

    def _layer(self, number: int, eye: MovedEye) -> EyeLayer | None:
        if self.disc[number, 2] <= 0:
            return None
        radius = float(self.disc[number, 2]) * eye.scale
        shifted = eye.was_open * float(np.linalg.norm(eye.shift)) / (_SHIFTED * radius)
        moved = float(smooth(np.array(max(shifted, abs(eye.closed) / _CLOSED))))
        reach = 4 * _FEATHER * eye.size
        region = eye.frame.region((0.0, 1.0), reach, reach, eye.size)
        if moved <= 0 or region is None:
            return None
        share = np.float32(moved) * _between_lids(eye, region)
        return EyeLayer(region, share, lambda: self._colours(number, eye, region))

    def _colours(self, number: int, eye: MovedEye, region: tuple[slice, slice]) -> np.ndarray:
        """(h, w, 3) float32 of the eye."""
        frame = eye.frame
        x, y = grid(region)
        part, down = np.broadcast_arrays(*frame.inwards(x, y))
        upper, lower = frame.edge(0, part), frame.edge(1, part)
        depth = np.clip((down - upper) / np.maximum(lower - upper, 0.25), 0, 1)
        shown = frame.width, float(frame.gap(PARTS).max())
        sclera = sampled(self.sclera[number], part, depth, shown).astype(np.float32)
        shade = np.sqrt(self.shade[number] / SHADE)
        shade = np.interp(depth * ROWS - 0.5, np.arange(ROWS), shade)[..., None]
        right, below, radius = self.disc[number].astype(np.float64) * eye.scale
        middle = eye.iris + right * frame.along + below * frame.down
        x, y = x - middle[0], y - middle[1]
        along = (x * frame.along[0] + y * frame.along[1]) / radius
        below = (x * frame.down[0] + y * frame.down[1]) / radius
        shift = np.array([eye.shift @ frame.along, eye.shift @ frame.down]) / radius
        along, below = _foreshortened(along, below, shift)
        share = smooth((_LIMBUS[1] - np.hypot(along, below)) / (_LIMBUS[1] - _LIMBUS[0]))
        iris = _disc(self.iris[number], along, below, radius) * shade
        back = (1 - _MIRRORED) * shift
        glint = _disc(self.glint[number], along + back[0], below + back[1], radius)
        whole = sclera + share[..., None] * (iris - sclera + glint)
        darker = smooth(np.array((eye.closed - _DARKENS[0]) / (_DARKENS[1] - _DARKENS[0])))
        return np.asarray(whole * (1 - _DARK * darker))


def _foreshortened(
    along: np.ndarray, down: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places on a disc that has turned aside with its ball; all in radii of the disc."""
    length = float(np.linalg.norm(shift))
    if length <= 1e-9:
        return along, down
    sine = min(length / _BALL, 0.8)
    longer = 1 / np.sqrt(1 - sine**2) - 1
    x, y = shift / length
    outwards = (along * x + down * y) * longer
    return along + outwards * x, down + outwards * y


def _disc(picture: np.ndarray, along: np.ndarray, down: np.ndarray, radius: float) -> np.ndarray:
    """A picture of a disc at places in its radii, which is that many pixels."""
    x, y = ((at + REACH) / (2 * REACH) for at in (along, down))
    return sampled(picture, x, y, (2 * REACH * radius,) * 2).astype(np.float32)


def _between_lids(eye: MovedEye, region: tuple[slice, slice]) -> np.ndarray:
    """(h, w) float32: 1 between the lids, falling to 0 at their edges."""
    rows, columns = region
    height, width = rows.stop - rows.start, columns.stop - columns.start
    lines = []
    for part, down in eye.frame.lids:
        lines.append(np.stack(eye.frame.outwards(part, down), 1))
    outline = np.concatenate([lines[0], lines[1][::-1]]) - [columns.start, rows.start]
    fine = np.zeros((height * _FINER, width * _FINER), np.uint8)
    corners = np.round((outline * _FINER - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(fine, [corners], 1, cv2.LINE_8, 4)
    depth = cv2.distanceTransform(fine, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    shown = smooth(depth / (2 * _FEATHER * eye.size * _FINER))
    return cv2.resize(shown, (width, height), interpolation=cv2.INTER_AREA)
