"""What a face's landmarks do when it is driven: measured once, so that no frame needs a landmarker.

Regional styles do not touch each other, so landmarks of any expression are the sum of what single
controls do; a turned head shows the same moves turned. Pose itself is a grid of turned heads.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from photorig.shared.files.portrait_layout import checked_text
from photorig.shared.parameters.schema import ARKIT_NAMES

from .check import check_magnitude
from .eyeball import Eyeballs
from .eyelids import ClosedLids
from .mouth import MouthInterior
from .response import MIDDLE_TURN, TURNS

N_LANDMARKS = 478
ARRAYS = ("turned", "poses", "amounts", "moves", "gains")
"""Names of the arrays of a geometry, as files keep them."""
_MOST_CONTROLS, _MOST_AMOUNTS = 400, 64
_GREATEST_MOTION = 1e3
_GREATEST_PLACE = 50.0
"""Sides of the aligned square that a landmark may be away."""
_GREATEST_PIXEL = 1e5
"""Of what is kept of a mouth, and pixels along a centimetre of it."""
FORM = 1
"""Of these arrays and of the parts beside them; a geometry of another form is left unread."""


@dataclass(frozen=True)
class KnownParts:
    """What is kept of a face, so that the generator need not draw it.

    Attributes:
        mouth: its inside.
        lids: closed, right and left.
        eyeballs: right and left.
    """

    mouth: bool = False
    lids: tuple[bool, bool] = (False, False)
    eyeballs: tuple[bool, bool] = (False, False)

    @staticmethod
    def of(
        mouth: MouthInterior | None, lids: ClosedLids | None, eyeballs: Eyeballs | None
    ) -> KnownParts:
        neither = (False, False)
        return KnownParts(
            mouth is not None,
            neither if lids is None else lids.known,
            neither if eyeballs is None else eyeballs.known,
        )


@dataclass(frozen=True, eq=False)
class FaceGeometry:
    """Landmarks of one face, in sides of the aligned square (z in the same unit, away > 0).

    Attributes:
        made_for: what drove the face, see `RegionalDirections.id`.
        turned: (2, 5) float32, motion of headYaw and headPitch, rising, 0 in the middle.
        poses: (5, 5, 478, 3) float32, at all combinations, yaw first.
        amounts: (a,) float32 rising amounts above 0 of each control.
        moves: (c, a, 478, 3) float16, by how much landmarks move for each control at each amount.
        gains: (52,) float32, by how much the mesh has to move further for each ARKit coefficient,
            so that its full motion is seen.
        lids: closed, where they could be drawn.
        eyeballs: where eyes could be taken apart.
        mouth: its inside, where the photo's lips are closed.
    """

    made_for: str
    turned: np.ndarray
    poses: np.ndarray
    amounts: np.ndarray
    moves: np.ndarray
    gains: np.ndarray
    mouth: MouthInterior | None = None
    lids: ClosedLids | None = None
    eyeballs: Eyeballs | None = None

    @property
    def known(self) -> KnownParts:
        """What is kept of the face."""
        return KnownParts.of(self.mouth, self.lids, self.eyeballs)

    @property
    def rest(self) -> np.ndarray:
        """(478, 3) float32, the face at rest."""
        return np.asarray(self.poses[MIDDLE_TURN, MIDDLE_TURN])

    def posed(self, yaw: float, pitch: float) -> np.ndarray:
        """(478, 3) float64: the face turned by these motions; exact where it was measured."""
        weights = [_spline(knots, at) for knots, at in zip(self.turned, (yaw, pitch), strict=True)]
        return np.einsum("i,j,ijkl->kl", *weights, self.poses, optimize=False)

    def expressed(self, amounts: np.ndarray) -> np.ndarray:
        """(478, 3) float64: by how much the landmarks of the face at rest move for amounts (c,) of
        the controls together; beyond the ends as at the ends, below 0 the other way round."""
        result = np.zeros((N_LANDMARKS, 3))
        knots = np.concatenate([[0.0], self.amounts])
        for control in np.flatnonzero(amounts):
            amount = float(np.clip(amounts[control], -knots[-1], knots[-1]))
            place = int(np.clip(np.searchsorted(knots, abs(amount)) - 1, 0, len(knots) - 2))
            part = (abs(amount) - knots[place]) / (knots[place + 1] - knots[place])
            after = self.moves[control, place].astype(np.float64)
            before = self.moves[control, place - 1].astype(np.float64) if place else 0.0
            result += np.sign(amount) * (before + part * (after - before))
        return result

    def check(self) -> None:
        """Raise ValueError unless the arrays can be used."""
        checked_text(self.made_for)
        amounts = self.amounts.shape
        if (
            self.turned.shape != (2, TURNS)
            or self.poses.shape != (TURNS, TURNS, N_LANDMARKS, 3)
            or len(amounts) != 1
            or self.moves.ndim != 4
            or self.gains.shape != (len(ARKIT_NAMES),)
            or self.moves.shape[1:] != (*amounts, N_LANDMARKS, 3)
        ):
            raise ValueError("a geometry of a wrong shape")
        arrays = (self.turned, self.poses, self.amounts, self.moves, self.gains)
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("a geometry that is not finite")
        if not ((np.diff(self.turned, axis=1) > 0).all() and (np.diff(self.amounts) > 0).all()):
            raise ValueError("a geometry that does not rise")
        if self.turned[:, MIDDLE_TURN].any() or not (self.amounts > 0).all():
            raise ValueError("a geometry without a face at rest")
        if not (
            1 <= self.moves.shape[0] <= _MOST_CONTROLS and 1 <= self.moves.shape[1] <= _MOST_AMOUNTS
        ):
            raise ValueError("a geometry of too many controls, or none")
        for array in (self.turned, self.amounts, self.gains):
            check_magnitude(array, _GREATEST_MOTION)
        for array in (self.poses, self.moves):
            check_magnitude(array, _GREATEST_PLACE)
        for part in (self.mouth, self.lids, self.eyeballs):
            if part is not None:
                part.check()
        self._check_parts()

    def _check_parts(self) -> None:
        if self.mouth is not None:
            check_magnitude(self.mouth.lips, _GREATEST_PIXEL)
            check_magnitude(self.mouth.scale, _GREATEST_PIXEL)
            if float(self.mouth.scale[0]) < 1 / _GREATEST_PIXEL:
                raise ValueError("a mouth without a size")
        if self.lids is not None:
            check_magnitude(self.lids.rise, _GREATEST_MOTION)


def _spline(knots: np.ndarray, at: float) -> np.ndarray:
    """(5,) weights of a natural cubic spline through values at the knots."""
    curve = _curves(knots.astype(np.float64).tobytes())
    return np.asarray(curve(float(np.clip(at, knots[0], knots[-1]))))


@functools.lru_cache(maxsize=16)
def _curves(knots: bytes) -> CubicSpline:
    return CubicSpline(np.frombuffer(knots), np.eye(TURNS), bc_type="natural")
