"""Closed lids, for photos of open eyes: drawn once, seen where an eye shuts.

A generator tuned to a photo with open eyes has forgotten their lids. Before the tuning it knew: the
skin of both closed lids, lashes at its edge, is kept with the portrait, rolled out along the lid's
edge. A lid that comes down draws this skin out from under the fold above the eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .eye_frame import EyeFrame, EyeLayer, MovedEye, grid, sampled, smooth

ARRAYS = ("skin", "rise", "unit")
"""Names of the arrays of closed lids, as files keep them."""

COLUMNS, ROWS = 160, 96
PARTS = (-0.3, 1.3)
"""Parts of the eye's width between which the skin is kept."""
ABOVE, BELOW = 0.65, 0.3
"""Units from the closed lid's edge up to which and down to which it is."""

_BEGINS, _WHOLE = 0.3, 0.7
"""How far lids are closed when the kept skin begins to be seen, and when nothing else is."""
_SHUTS, _SHUT = 0.7, 0.95
"""The same for what lies below the upper lid's edge: lashes, and where lids meet."""
_OUTER, _INNER = (-0.24, 0.0), (1.16, 1.0)
"""Parts of the width over which the skin ends beside the eye."""
_FADE = 0.6
"""Part of the way above the lid's edge at rest over which it ends there."""
_UNDER = (-0.24, -0.08)
"""Units below the closed edge over which it ends there."""
_HANGS = 0.07
"""Units below the edge where lids meet at which the lashes of shut ones are seen: they hang over
the lower lid."""
_EDGE = 0.75
"""Pixels over which an edge is softened."""


@dataclass(frozen=True, eq=False)
class ClosedLids:
    """The skin of closed lids, right and left.

    Attributes:
        skin: (2, ROWS, COLUMNS, 3) uint8, in the colours of the generator; from ABOVE to BELOW the
            lid's edge and from the outer to the inner corner.
        rise: (2, COLUMNS) float32, units above the upper lid's edge at rest up to which it is seen.
        unit: (2,) float32 cm, the eyes' widths at rest; 0 where an eye's lids are not known.
    """

    skin: np.ndarray
    rise: np.ndarray
    unit: np.ndarray

    @property
    def known(self) -> tuple[bool, bool]:
        """Which eyes' lids are known."""
        right, left = self.unit > 0
        return bool(right), bool(left)

    def check(self) -> None:
        """Raise ValueError unless the arrays can be used."""
        if self.skin.shape != (2, ROWS, COLUMNS, 3) or self.skin.dtype != np.uint8:
            raise ValueError("lids of a wrong form")
        if self.rise.shape != (2, COLUMNS) or self.unit.shape != (2,):
            raise ValueError("lids of a wrong shape")
        if not (np.isfinite(self.rise).all() and np.isfinite(self.unit).all()):
            raise ValueError("lids that are not finite")
        if (self.rise < 0).any() or (self.unit < 0).any() or (self.unit > 1e3).any():
            raise ValueError("lids without a size")

    def layers(self, eyes: Sequence[MovedEye | None]) -> list[EyeLayer]:
        """This skin on those of right and left eye that close."""
        layers = [self._layer(number, eye) for number, eye in enumerate(eyes) if eye is not None]
        return [layer for layer in layers if layer is not None]

    def _layer(self, number: int, eye: MovedEye) -> EyeLayer | None:
        if self.unit[number] <= 0 or eye.closed <= _BEGINS:
            return None
        frame, unit = eye.frame, float(self.unit[number]) * eye.scale
        rise = float(self.rise[number].max())
        above = (rise + 0.1) * unit + float(np.ptp(frame.lids[0][1]))
        above += max(float((eye.frame.lids[0][1] - eye.upper_before(frame.lids[0][0])).max()), 0)
        region = frame.region((_OUTER[0], _INNER[0]), above, -_UNDER[0] * unit, eye.size)
        if region is None:
            return None
        part, down = frame.inwards(*grid(region))
        part, down = np.broadcast_arrays(part, down)
        shut = float(smooth(np.array((eye.closed - _SHUTS) / (_SHUT - _SHUTS))))
        upper = frame.edge(0, part)
        upper = upper + shut * (_arc(frame, part) + _HANGS * unit - upper)
        height = (upper - down) / unit
        across = (part - PARTS[0]) / (PARTS[1] - PARTS[0])
        ends = np.interp(across * COLUMNS - 0.5, np.arange(COLUMNS), self.rise[number])
        over = (down - eye.upper_before(part)) / unit + ends
        share = smooth(over / np.maximum(_FADE * ends, 1e-3))
        share *= smooth((part - _OUTER[0]) / (_OUTER[1] - _OUTER[0]))
        share *= smooth((part - _INNER[0]) / (_INNER[1] - _INNER[0]))
        on_lid = np.clip(0.5 + (upper - down) / (2 * _EDGE), 0, 1)
        under = shut * smooth((height - _UNDER[0]) / (_UNDER[1] - _UNDER[0]))
        share *= on_lid + (1 - on_lid) * under
        share *= smooth(np.array((eye.closed - _BEGINS) / (_WHOLE - _BEGINS)))
        down = (ABOVE - height) / (ABOVE + BELOW)
        shown = frame.width * (PARTS[1] - PARTS[0]), unit * (ABOVE + BELOW)
        skin = self.skin[number]
        return EyeLayer(
            region, share.astype(np.float32), lambda: sampled(skin, across, down, shown)
        )


def _arc(frame: EyeFrame, part: np.ndarray) -> np.ndarray:
    """How far down shut lids meet: a curve without the corners that landmarks have."""
    (along, upper), (other, lower) = frame.lids
    middle = (upper + np.interp(along, other, lower)) / 2
    curve = np.polynomial.Polynomial.fit(along, middle, 3, domain=[0, 1])
    return np.where(part < 0, middle[0], np.where(part > 1, middle[-1], curve(np.clip(part, 0, 1))))
