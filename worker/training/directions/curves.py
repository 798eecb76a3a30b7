"""Monotone curves from a parameter's value to motion, fitted to what driven faces were seen to do.

Faces i that show c_i0 are moved by a_j and then show c_ij. The curve ψ should make

    ψ(c_ij) − ψ(c_i0) = a_j

for all of them: then ψ⁻¹(ψ(c_i0) + a) is what a face will show, and asking for a value is a
difference along ψ. Residuals count as far as they can be seen, that is divided by the slope of ψ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

COEFFICIENT_KNOTS = np.array(
    [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
)
ANGLE_KNOTS = np.array([-50, -40, -30, -24, -18, -12, -6, 0, 6, 12, 18, 24, 30, 40], np.float64)
"""Values at which the curves bend; as many for degrees as for coefficients."""

LEAST_SLOPE, GREATEST_SLOPE = 0.25, 40.0
"""Of ψ, relative to its mean slope: a curve stays one that can be undone."""

PRIOR_WEIGHT = 0.15
ROUNDS = 6


@dataclass(frozen=True)
class Curve:
    """ψ as straight lines between knots.

    Attributes:
        values: (s,) rising, in the parameter's unit.
        motion: (s,) rising.
    """

    values: np.ndarray
    motion: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Motion at any values; straight on beyond the ends."""
        return _straight(np.asarray(values, np.float64), self.values, self.motion)

    def value_at(self, motion: float) -> float:
        """Inverse of the curve."""
        return float(_straight(np.array([motion], np.float64), self.motion, self.values)[0])

    def scaled(self, factor: float) -> Curve:
        """The curve that asks for ``factor`` times the motion."""
        return Curve(self.values, self.motion * factor)


def fit_curve(start: np.ndarray, seen: np.ndarray, moved: np.ndarray, prior: Curve) -> Curve:
    """The curve for one parameter.

    Args:
        start: (m,) values before; seen: (m, s) values after; moved: (m, s) motion between.
            Not finite where no face was found.
        prior: what to believe where no face has been; its knots are taken over.
    """
    before = np.repeat(start[:, None], seen.shape[1], 1)
    keep = np.isfinite(seen) & np.isfinite(before)
    before, after, moved = before[keep], seen[keep], moved[keep]
    difference = _steps_passed(after, prior.values) - _steps_passed(before, prior.values)
    believed = np.diff(prior.motion)
    span = prior.motion[-1] - prior.motion[0]
    least = np.diff(prior.values) * LEAST_SLOPE * span / np.ptp(prior.values)
    steps = believed
    for _ in range(ROUNDS):
        slope = steps / np.diff(prior.values)
        place = np.clip(np.searchsorted(prior.values, after) - 1, 0, len(slope) - 1)
        usual = float(np.median(slope))
        weight = 1 / np.clip(slope[place] / usual, LEAST_SLOPE, GREATEST_SLOPE)
        strength = PRIOR_WEIGHT * np.sqrt(weight @ weight / len(steps))
        system = np.vstack([difference * weight[:, None], np.diag(strength / believed)])
        wanted = np.concatenate([moved * weight, np.full(len(steps), strength)])
        # Steps are solved for above their least, so that the curve rises everywhere.
        free, _ = nnls(system, wanted - system @ least)
        steps = least + free
    motion = np.concatenate([[0], np.cumsum(steps)])
    return Curve(prior.values, motion - np.interp(0, prior.values, motion))


def _steps_passed(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """(q, s − 1): how much of each step between knots lies below each of the values."""
    return np.clip((values[:, None] - knots[:-1]) / np.diff(knots), 0, 1)


def _straight(x: np.ndarray, knots: np.ndarray, heights: np.ndarray) -> np.ndarray:
    last = np.clip(np.searchsorted(knots, x, side="right"), 1, len(knots) - 1)
    slope = (heights[last] - heights[last - 1]) / (knots[last] - knots[last - 1])
    return heights[last - 1] + (x - knots[last - 1]) * slope
