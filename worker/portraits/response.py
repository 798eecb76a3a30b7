"""How one face answers to a bundle: measured once, when its portrait is made, and kept in its file.

A direction matrix is an average over people. One face turns a little further than another for the
same shift of its latents, or nods a little when it smiles. What it was seen to do corrects that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KNOTS = 5
"""Amounts of motion at which a face is known: two down, none, two up."""

ARRAYS = ("moved", "seen", "turned", "tilted")
"""Names of the arrays of a response, as files keep them."""

LEAST_GAIN, GREATEST_GAIN = 0.3, 3.0
GREATEST_TURN = 0.5
"""Motion; a face is not believed to answer less, more, or to turn further than this."""


@dataclass(frozen=True, eq=False)
class PortraitResponse:
    """What one face was seen to do.

    Attributes:
        bundle_id: the bundle that drove it.
        moved: (n, 5) float32, rising, 0 in the middle: motion given to each parameter.
        seen: (n, 5) float32, rising, 0 in the middle: motion of that parameter that was seen.
        turned: (n, 5, 2) float32: motion of headYaw and headPitch that came with it, 0 for a head
            angle on itself.
        tilted: (n, 5) float32: degrees of headRoll that came with it.
    """

    bundle_id: str
    moved: np.ndarray
    seen: np.ndarray
    turned: np.ndarray
    tilted: np.ndarray

    def give(self, wanted: np.ndarray, angles: tuple[int, int]) -> np.ndarray:
        """Motion (n,) to give so that ``wanted`` (n,) is seen; exactly 0 where all is at rest.

        Args:
            angles: positions of headYaw and headPitch.
        """
        wanted = wanted.astype(np.float64)
        given = interpolated(wanted, self.seen, self.moved)
        for _ in range(2):  # the angles turn each other a little: the second time it has settled
            turn = interpolated(given[:, None], self.moved[:, None], self.turned.transpose(0, 2, 1))
            drift = np.clip(turn.sum(0), -GREATEST_TURN, GREATEST_TURN)
            for angle, own in zip(angles, drift, strict=True):
                wish = wanted[angle : angle + 1] - own
                rows = slice(angle, angle + 1)
                given[rows] = interpolated(wish, self.seen[rows], self.moved[rows])
        return given.astype(np.float32)

    def tilt(self, given: np.ndarray) -> float:
        """Degrees of headRoll that come along with a motion (n,) that is given."""
        return float(interpolated(given.astype(np.float64), self.moved, self.tilted).sum())

    def check(self, n: int) -> None:
        """Raise ValueError unless the arrays belong to n parameters and can be used."""
        arrays = (self.moved, self.seen, self.tilted, self.turned)
        shapes = ((n, KNOTS), (n, KNOTS), (n, KNOTS), (n, KNOTS, 2))
        if tuple(array.shape for array in arrays) != shapes:
            raise ValueError("a response of a wrong shape")
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("a response that is not finite")
        if not all((np.diff(array, axis=1) > 0).all() for array in (self.moved, self.seen)):
            raise ValueError("a response that does not rise")
        middle = KNOTS // 2
        if any(array[:, middle].any() for array in arrays):
            raise ValueError("a response that moves a face at rest")


def believable(moved: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(…, 5) ``seen`` made to rise, neither much slower nor much faster than ``moved`` (…, 5);
    where it is not finite the face is taken to do as asked."""
    steps = np.diff(moved)
    seen = np.where(np.isfinite(seen).all(-1, keepdims=True), seen, moved)
    taken = np.clip(np.diff(seen), LEAST_GAIN * steps, GREATEST_GAIN * steps)
    middle = KNOTS // 2
    total = np.concatenate([np.zeros_like(taken[..., :1]), np.cumsum(taken, -1)], -1)
    return total - total[..., middle : middle + 1]


def interpolated(x: np.ndarray, knots: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(…) heights (…, s) at x (…), by straight lines through the rising ``knots`` (…, s), straight
    on beyond the ends."""
    knots, heights = np.broadcast_arrays(knots.astype(np.float64), heights.astype(np.float64))
    x = np.broadcast_to(x, knots.shape[:-1])
    last = np.clip((knots <= x[..., None]).sum(-1), 1, knots.shape[-1] - 1)[..., None]
    left = np.take_along_axis(knots, last - 1, -1)[..., 0]
    right = np.take_along_axis(knots, last, -1)[..., 0]
    low = np.take_along_axis(heights, last - 1, -1)[..., 0]
    high = np.take_along_axis(heights, last, -1)[..., 0]
    result: np.ndarray = low + (x - left) / (right - left) * (high - low)
    return result
